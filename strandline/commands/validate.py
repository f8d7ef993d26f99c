"""`strandline validate`: every problem of every file in one run, without AWS and without the CDK."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError, Problem
from strandline.console import stderr, stdout
from strandline.targets import BLUEPRINTS, JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence


def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Blueprints or a blueprints folder; default: blueprints/.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check blueprints and say everything that is wrong with them."""
    problems, count = find_problems(paths or [BLUEPRINTS])
    if as_json:
        stdout.print_json(json.dumps({"valid": not problems, "problems": [_as_dict(one) for one in problems]}))
    elif not problems:
        stderr.print(f"[green]valid:[/] {count} blueprint{'' if count == 1 else 's'}")
    if problems:
        if not as_json:
            raise InputError(*problems)
        raise typer.Exit(1)


def find_problems(paths: Sequence[Path]) -> tuple[list[Problem | str], int]:
    """Checks blueprints.

    Args:
        paths: Blueprint files and blueprints folders.

    Returns:
        What is wrong, and how many blueprints were read.
    """
    problems: list[Problem | str] = []
    count = 0
    for path in paths:
        try:
            count += _check(path)
        except InputError as error:
            problems.extend(error.problems)
    return problems, count


def _check(path: Path) -> int:
    if path.is_file():
        from agent_runtime.loader import load_blueprint

        load_blueprint(path)
        return 1
    from stacks.project import load_project

    return len(load_project(path).agents)


def _as_dict(problem: Problem | str) -> dict[str, object]:
    if isinstance(problem, Problem):
        return asdict(problem)
    return {"file": "", "line": 0, "column": 0, "path": "", "message": problem, "hint": ""}
