"""What rotations of keys that nobody types have alike."""

from __future__ import annotations

from typing import ClassVar

from agent_runtime.errors import InputError
from strandline.rotation.rotate import Rotation


class MintedKey(Rotation):
    """The rotation of a key that is made here; it is one variable.

    Attributes:
        no_way_back: Why the key before cannot be used again.
    """

    is_made_here = True
    unverifiable = ()
    no_way_back: ClassVar[str]

    @property
    def variable(self) -> str:
        """The variable."""
        return next(iter(self.uses))

    @property
    def can_roll_back(self) -> bool:
        """Not: the key before opens nothing any more."""
        return False

    def reminders(self) -> list[str]:
        """Nothing: the key before ends without a person."""
        return []

    def roll_back(self) -> None:
        """Is refused.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{self.variable} cannot go back, because {self.no_way_back}: rotate it again.")
