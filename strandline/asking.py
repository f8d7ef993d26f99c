"""Questions to whoever sits at the terminal; where nobody does, the command says which option answers them."""

from __future__ import annotations

import sys

import typer

from agent_runtime.errors import InputError


def is_somebody_there() -> bool:
    """Whether standard input is a terminal, at which a person may answer."""
    return sys.stdin.isatty()


def ask(question: str) -> bool:
    """Asks a person for yes or no, on standard error: standard output may be read by a machine.

    Args:
        question: The question.

    Returns:
        Whether the answer is yes.

    Raises:
        InputError: There is nobody to ask.
    """
    _require_somebody("say --yes to go on without being asked")
    return typer.confirm(question, err=True)


def confirm(yes: bool, question: str) -> None:
    """Asks, unless the answer was given; without anybody to ask, that is a no.

    Args:
        yes: Whether the answer was given.
        question: The question.

    Raises:
        InputError: The answer is no.
    """
    if not yes and not (is_somebody_there() and typer.confirm(question, err=True)):
        raise InputError("Nothing was changed: answer yes at the prompt, or give --yes where nobody can answer.")


def require_name(name: str, given: str | None, done: str) -> None:
    """Has a name typed, unless it was given.

    Args:
        name: What has to be typed.
        given: What was given in place of typing it.
        done: What is done then, after "Type NAME to", such as "take it away".

    Raises:
        InputError: It was not that name, or there is nobody to ask.
    """
    if given is None:
        _require_somebody(f"say --confirm {name} to {done} without being asked")
        given = typer.prompt(f"Type {name} to {done}", default="", show_default=False, err=True)
    if given != name:
        raise InputError(f"{given!r} is not {name!r}: nothing was changed.")


def _require_somebody(otherwise: str) -> None:
    if not is_somebody_there():
        raise InputError(f"There is no terminal to ask on: {otherwise}.")
