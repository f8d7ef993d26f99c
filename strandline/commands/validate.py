"""`strandline validate`: every problem of every file in one run, without AWS and without the CDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from agent_runtime.errors import InputError, Problem
from strandline.console import stderr, stdout
from strandline.targets import BLUEPRINTS, ENVIRONMENTS, EnvironmentsOption, JsonOption

if TYPE_CHECKING:
    from agent_runtime.loader import LoadedBlueprint
    from gateway.settings import GatewaySettings
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
    found = find_problems(paths or [BLUEPRINTS], env, environments)
    if as_json:
        stdout.print_json(json.dumps(found.as_dict()))
    for notice in () if as_json else found.notices:
        stderr.print(f"[yellow]notice:[/] {escape(str(notice))}", soft_wrap=True, highlight=False)
    if found.problems and not as_json:
        raise InputError(*found.problems)
    if found.problems:
        raise typer.Exit(1)
    if not as_json:
        stderr.print(f"[green]valid:[/] {found.count} blueprint{'' if found.count == 1 else 's'}")


@dataclass(slots=True)
class Findings:
    """What a check finds.

    Attributes:
        problems: What is wrong.
        notices: What the blueprints' authors should know, though nothing is wrong.
        count: How many blueprints are right.
    """

    problems: list[Problem | str] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)
    count: int = 0

    def as_dict(self) -> dict[str, object]:
        """The object that `validate --json` prints; `notices` is there when there are any."""
        told = {"valid": not self.problems, "problems": [_as_dict(one) for one in self.problems]}
        return told | ({"notices": [asdict(one) for one in self.notices]} if self.notices else {})


def find_problems(paths: Sequence[Path], env: str | None = None, environments: Path = ENVIRONMENTS) -> Findings:
    """Checks blueprints.

    Args:
        paths: Blueprint files and blueprints folders.
        env: The environment to check them for; all of the environments' file when left out.
        environments: The environments' file; without an environment and such a file, only what holds everywhere is
            checked.

    Returns:
        What is wrong, and what else is to be said.
    """
    found = Findings()
    try:
        targets = _targets(env, environments)
    except InputError as error:
        targets = []
        found.problems.extend(error.problems)
    notices: set[Problem] = set()
    for path in paths:
        try:
            checked, there, gateway = _check(path, targets)
        except InputError as error:
            found.problems.extend(error.problems)
        else:
            found.count += len(checked)
            notices.update(_notices(checked, there, gateway))
    found.notices = sorted(notices)
    return found


def _notices(checked: Sequence[LoadedBlueprint], there: _Placed, gateway: GatewaySettings | None) -> Iterator[Problem]:
    from agent_runtime.notices import find_notices
    from stacks.notices import find_notices_there

    if not any(placed for _, placed in there):
        yield from find_notices(checked)
    for target, placed in there:
        yield from find_notices_there(placed, target, gateway)


def _targets(env: str | None, environments: Path) -> list[Environment]:
    if env is not None:
        from strandline.targets import find_environment

        return [find_environment(env, environments)]
    # Somebody may check one file far from any project.
    if environments == ENVIRONMENTS and not environments.exists():
        return []
    from stacks.environments import load_environments

    return list(load_environments(environments).values())


_Placed = list[tuple["Environment", list["LoadedBlueprint"]]]
_Checked = tuple[Sequence["LoadedBlueprint"], _Placed, "GatewaySettings | None"]
"""The agents as they are written, and in each of the environments where they may run; and `gateway.yaml`."""


def _check(path: Path, targets: Sequence[Environment]) -> _Checked:
    from stacks.user_code import find_import_faults

    if path.is_file():
        from agent_runtime.loader import load_blueprint

        agent = load_blueprint(path)
        if faults := find_import_faults([agent], path.parent.parent):
            raise InputError(*faults)
        there = _everywhere(targets, partial(_one_of, agent))
        return [agent], there, None
    from stacks.project import load_project

    project = load_project(path)
    faults = find_import_faults(project.agents, path)
    return project.agents, _everywhere(targets, project.agents_of, faults), project.gateway


def _one_of(agent: LoadedBlueprint, target: Environment) -> list[LoadedBlueprint]:
    return [agent.for_environment(target)] if agent.blueprint.allows(target.execution_mode) else []


def _everywhere(
    targets: Sequence[Environment],
    agents_of: Callable[[Environment], list[LoadedBlueprint]],
    faults: Sequence[Problem] = (),
) -> _Placed:
    problems: list[Problem | str] = [*faults]
    agents: _Placed = []
    for target in targets:
        try:
            agents.append((target, agents_of(target)))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return agents


def _as_dict(problem: Problem | str) -> dict[str, object]:
    if isinstance(problem, Problem):
        return asdict(problem)
    return {"file": "", "line": 0, "column": 0, "path": "", "message": problem, "hint": ""}
