"""`strandline validate`: every problem of every file in one run, without AWS and without the CDK."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError, Problem
from strandline.console import stderr, stdout
from strandline.targets import BLUEPRINTS, ENVIRONMENTS, EnvironmentsOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_runtime.loader import LoadedBlueprint
    from stacks.environments import Environment


def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Blueprints or blueprints folders; default: blueprints/.")
    ] = None,
    env: Annotated[
        str | None,
        typer.Option("--env", "-e", help="Check for this environment only; default: all of the environments' file."),
    ] = None,
    environments: EnvironmentsOption = ENVIRONMENTS,
    as_json: JsonOption = False,
) -> None:
    """Check blueprints, in every environment where they may run, and say everything that is wrong with them."""
    problems, count = find_problems(paths or [BLUEPRINTS], env, environments)
    if as_json:
        stdout.print_json(json.dumps({"valid": not problems, "problems": [_as_dict(one) for one in problems]}))
    elif not problems:
        stderr.print(f"[green]valid:[/] {count} blueprint{'' if count == 1 else 's'}")
    if problems:
        if not as_json:
            raise InputError(*problems)
        raise typer.Exit(1)


def find_problems(
    paths: Sequence[Path], env: str | None = None, environments: Path = ENVIRONMENTS
) -> tuple[list[Problem | str], int]:
    """Checks blueprints.

    Args:
        paths: Blueprint files and blueprints folders.
        env: The environment to check them for; all of the environments' file when left out.
        environments: The environments' file; without an environment and such a file, only what holds everywhere is
            checked.

    Returns:
        What is wrong, and how many blueprints were read.
    """
    problems: list[Problem | str] = []
    count = 0
    try:
        targets = _targets(env, environments)
    except InputError as error:
        targets = []
        problems.extend(error.problems)
    for path in paths:
        try:
            count += _check(path, targets)
        except InputError as error:
            problems.extend(error.problems)
    return problems, count


def _targets(env: str | None, environments: Path) -> list[Environment]:
    if env is not None:
        from strandline.targets import find_environment

        return [find_environment(env, environments)]
    # Somebody may check one file far from any project.
    if environments == ENVIRONMENTS and not environments.exists():
        return []
    from stacks.environments import load_environments

    return list(load_environments(environments).values())


def _check(path: Path, targets: Sequence[Environment]) -> int:
    from stacks.project import Project, load_project
    from stacks.user_code import find_import_faults

    if path.is_file():
        from agent_runtime.loader import load_blueprint

        agent = load_blueprint(path)
        if faults := find_import_faults([agent], path.parent.parent):
            raise InputError(*faults)
        return _check_one(agent, targets)
    project: Project = load_project(path)
    problems: list[Problem | str] = [*find_import_faults(project.agents, path)]
    for target in targets:
        try:
            project.agents_of(target)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return len(project.agents)


def _check_one(agent: LoadedBlueprint, targets: Sequence[Environment]) -> int:
    problems: list[Problem | str] = []
    for target in targets:
        if agent.blueprint.allows(target.execution_mode):
            try:
                agent.for_environment(target)
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(*problems)
    return 1


def _as_dict(problem: Problem | str) -> dict[str, object]:
    if isinstance(problem, Problem):
        return asdict(problem)
    return {"file": "", "line": 0, "column": 0, "path": "", "message": problem, "hint": ""}
