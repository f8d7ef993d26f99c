"""`strandline canary`: how a new version does beside `live`, and ending it by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent_runtime.errors import InputError
from strandline.console import stderr, stdout
from strandline.targets import (
    ENVIRONMENTS,
    AgentArgument,
    EnvironmentOption,
    EnvironmentsOption,
    JsonOption,
    open_target,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from stacks.custom_resources.canary_routes import Route
    from strandline.targets import Target


def canary(
    agent: AgentArgument,
    env: EnvironmentOption,
    promote: Annotated[bool, typer.Option("--promote", help="End it: all new sessions get the new version.")] = False,
    back: Annotated[
        bool, typer.Option("--back", help="End it: none does; in a locked environment the lock too.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why it is ended; kept with its record.")] = "by hand",
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Show the canary of an agent, or end it."""
    from stacks.custom_resources.canary_records import ALL, BACK
    from strandline.canaries import end_canary, figures_of, last_record, running_canary

    if promote and back:
        raise InputError("--promote and --back are two ends: say one.")
    target = open_target(env, environments)
    route = running_canary(target, agent)
    figures = figures_of(target, route) if route else None
    if route and (promote or back):
        end_canary(target, route, ALL if promote else BACK, reason, figures)
    elif promote:
        raise InputError(f"No canary of {agent} runs in {env}: strandline rollback {agent} --env {env} --to VERSION.")
    ended = last_record(target, agent) if promote or back or not route else None
    written = _restore_lock(target, agent, environments) if back else None
    if as_json:
        told = {"agent": agent, "environment": env, "running": None if ended else _told(route), "last": ended}
        stdout.print_json(json.dumps({**told, "figures": figures.as_dict() if figures else None}))
        return
    if figures:
        stdout.print(_table(figures.as_dict()))
    stderr.print(_sentence(agent, env, route, ended), markup=False, highlight=False, soft_wrap=True)
    if written:
        stderr.print(f"{written} names what live runs: commit it.", markup=False, highlight=False)


def _restore_lock(target: Target, agent: str, environments: Path) -> Path | None:
    """Also after a canary that went back by itself: its lock still names what was deployed."""
    from stacks.releases.store import ReleaseFolder
    from strandline.endpoints import Endpoints
    from strandline.invocation import find_runtime
    from strandline.releases.rollback import restore_entry

    endpoints = Endpoints(target, find_runtime(target, agent))
    live = endpoints.live()
    return restore_entry(target, ReleaseFolder.beside(environments), agent, live) if live else None


def _told(route: Route | None) -> Mapping[str, Any] | None:
    return asdict(route) if route else None


def _sentence(agent: str, env: str, route: Route | None, ended: Mapping[str, Any] | None) -> str:
    from strandline.canaries import summary

    if ended:
        version = ended["canary"]["version"]
        return f"The canary of {agent} in {env}, version {version}, {ended['reason']} ({ended['by']}, {ended['at']})."
    if route:
        return f"Version {route.version} of {agent} gets {summary(route)}; live is version {route.live}."
    return f"No canary of {agent} runs in {env}, and its newest version was none."


def _table(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    sides = list(figures)
    for side in sides:
        table.add_column(side, justify="right")
    for name in figures[sides[0]]:
        table.add_row(
            name.replace("_", " "), *("" if figures[side][name] is None else str(figures[side][name]) for side in sides)
        )
    return table
