"""What `strandline rotate` and `strandline secrets revoke` ask alike: options and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError
from strandline.asking import is_somebody_there
from strandline.local_cloud import default_home

if TYPE_CHECKING:
    from collections.abc import Callable

    from stacks.project import Project
    from strandline.rotation.rotate import Rotation
    from strandline.targets import Target

ValueFromOption = Annotated[
    str | None, typer.Option(help="`-` for standard input: the value, or lines NAME=value for several.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]
UnverifiedOption = Annotated[
    bool, typer.Option("--unverified", help="Also where nothing here can tell whether a value works.")
]


def open_rotations(target: Target, project: Project, groups: list[list[str]]) -> list[Rotation]:
    """Opens rotations whose steps go into the audit record.

    Args:
        target: The environment.
        project: The user's files.
        groups: The variables, in groups that rotate together.

    Returns:
        A rotation for each group.
    """
    from strandline.rotation.audit import open_record
    from strandline.rotation.kinds import open_rotation

    record = open_record(default_home() / "audit", target)
    return [open_rotation(target, project, group, record) for group in groups]


def check_verifiable(rotations: list[Rotation], unverified: bool) -> None:
    """Refuses to go on where nothing tells whether a value works, unless that was said to be fine."""
    unknown = [name for rotation in rotations for name in rotation.unverifiable]
    if unknown and not unverified:
        raise InputError(
            f"Nothing here can tell whether a value of {', '.join(unknown)} works: "
            "--unverified rotates it all the same."
        )


def value_reader(value_from: str | None, names: list[str]) -> Callable[[str], str]:
    """Finds out where new values come from; reads standard input at once, and a prompt when a value is needed.

    Args:
        value_from: The option `--value-from`.
        names: Distinct names of the variables whose values a person has.

    Returns:
        Gives the value of a variable.

    Raises:
        InputError: A value was given on the command line, or there is nobody to ask.
    """
    from strandline.secret_values import read_value

    if value_from is None:

        def ask(name: str) -> str:
            if not is_somebody_there():
                raise InputError("Give the new value at a prompt, or pipe it in with --value-from -.")
            return read_value(f"New value of {name}")

        return ask
    if value_from != "-":
        raise InputError("--value-from takes `-`, standard input, and nothing else: a command line is seen by others.")
    given = read_value("New values")
    if len(names) == 1:
        return lambda _: given
    from io import StringIO

    from dotenv import dotenv_values

    values = dotenv_values(stream=StringIO(given), interpolate=False)
    return lambda name: values.get(name) or ""
