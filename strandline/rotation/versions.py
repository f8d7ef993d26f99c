"""The versions of one secret as an operator moves them: also read, and moved back; its errors are a person's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.custom_resources import secret_versions
from stacks.custom_resources.secret_versions import CURRENT, Labels, LabelsMoved, NotText
from strandline.aws_errors import told

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = {
    "describe_secret": "describe",
    "get_secret_value": "read",
    "list_secret_version_ids": "list the versions of",
    "put_secret_value": "stage a value of",
    "update_secret_version_stage": "move a label of",
}


class RotationConflict(EnvironmentFault):
    """Raised when somebody else moved the secret on meanwhile; nothing was changed."""


class SecretVersions(secret_versions.SecretVersions):
    """The versions of one secret.

    Every method raises InputError where there is no such secret, and EnvironmentFault where Secrets Manager refuses or
    cannot be reached.
    """

    def stage(self, value: str, token: str) -> str:
        """Puts a value beside the current one; raises RotationConflict where another is; see the base class."""
        with _told():
            return super().stage(value, token)

    def promote(self, version: str) -> Labels:
        """Makes the staged version the current one; raises RotationConflict where it is not; see the base class."""
        with _told():
            return super().promote(version)

    def read(self, version: str) -> str:
        """Reads a version's value; raises EnvironmentFault where it is no text; see the base class."""
        with _told():
            return super().read(version)

    def roll_back(self, version: str) -> Labels:
        """Makes the version before the current one current again; the two change places.

        Args:
            version: The one to leave; nothing happens where it is not current any more, so that a second call does
                not bring it back.

        Returns:
            The labels afterwards.

        Raises:
            InputError: There is no version before the current one.
        """
        labels = self.labels()
        if labels.current != version:
            return labels
        if labels.previous is None:
            raise InputError(f"{self.secret} has no version before the current one: there is nothing to go back to.")
        # Before anything else: what is staged, the next rotation would promote.
        self.discard(version)
        self._move(CURRENT, to=labels.previous, away_from=version)
        return self.labels()

    def _ask(self, operation: str, **request: Any) -> Any:
        absent = f"There is no secret {self.secret}: deploy the environment's secrets first."
        with told("Secrets Manager", f"Secrets Manager does not {_WORDS[operation]} {self.secret}", absent=absent):
            return super()._ask(operation, **request)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except LabelsMoved as moved:
        raise RotationConflict(str(moved)) from None
    except NotText as binary:
        raise EnvironmentFault(str(binary)) from None
