"""The errors of data protection.

    InvocationError
    ├── BlockedError              a text holds what must not pass
    │   ├── InputBlockedError     the caller's (400)
    │   └── OutputBlockedError    the model's (502)
    └── FilterFailedError         the filter itself failed, so the text does not pass (500)

None holds a value that was found, nor the exception of a library that might.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.failures import InvocationError

if TYPE_CHECKING:
    from collections.abc import Iterable

_BAD_REQUEST = 400
_INTERNAL = 500


class BlockedError(InvocationError):
    """Raised when a text holds entities that must not pass.

    Attributes:
        entities: Names of their types, sorted.
    """

    kind = "blocked"
    _whose = "The text"

    def __init__(self, entities: Iterable[str]) -> None:
        self.entities = tuple(sorted(set(entities)))
        super().__init__(f"{self._whose} holds data that may not pass: {', '.join(self.entities)}.")


class InputBlockedError(BlockedError):
    """Raised when the caller's text holds entities that must not reach the model."""

    kind = "input_blocked"
    status = _BAD_REQUEST
    _whose = "The prompt"


class OutputBlockedError(BlockedError):
    """Raised when the model's text holds entities that must not reach the caller."""

    kind = "output_blocked"
    _whose = "The answer"


class FilterFailedError(InvocationError):
    """Raised when the filter fails on a text; the text does not pass."""

    kind = "data_protection_failed"
    status = _INTERNAL

    def __init__(self, cause: str) -> None:
        super().__init__(f"The data protection filter failed ({cause}), so the text does not pass.")
