"""The errors that a person sees.

    StrandlineError
    ├── InputError         the user's files or arguments are wrong (exit 1)
    └── EnvironmentFault   the machine or a service is at fault (exit 2)

Every message says where, what is wrong and how to mend it, and holds no secret value.
"""

from __future__ import annotations

from dataclasses import dataclass


class StrandlineError(Exception):
    """Raised for anything that a person can mend; shown as a message, never as a traceback."""

    exit_code = 1


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file.

    Attributes:
        file: Path of the file as the user would name it.
        line: Line, from 1.
        column: Column, from 1.
        path: Place in the document, such as `model.temperature`; empty for the whole document.
        message: What is wrong.
        hint: How to mend it.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str

    def __str__(self) -> str:
        place = f" {self.path}:" if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}:{place} {self.message}{hint}"


class InputError(StrandlineError):
    """Raised when the user's files or arguments are wrong; carries every problem found in one run."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class EnvironmentFault(StrandlineError):
    """Raised when the machine or a service is at fault: no Node, a port in use, no disk, a provider that is down."""

    exit_code = 2
