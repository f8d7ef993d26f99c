"""`strandline history`: the versions of an agent, across environments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.console import stderr, stdout
from strandline.targets import ENVIRONMENTS, AgentArgument, EnvironmentsOption, JsonOption, open_targets

if TYPE_CHECKING:
    from rich.table import Table

    from strandline.history import Entry


def history(
    agent: AgentArgument,
    env: Annotated[
        str | None, typer.Option("--env", "-e", help="One environment; left out, all that can be asked.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="Versions of each environment, the newest.")] = 10,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """List the versions of an agent: hashes, checks, endpoints."""
    from strandline.history import read_history

    targets, silent = open_targets(env, environments)
    entries = [entry for target in targets for entry in read_history(target, agent, most)]
    if as_json:
        stdout.print_json(json.dumps({"versions": [entry.as_dict() for entry in entries], "not_asked": silent}))
        return
    for name, why in silent.items():
        stderr.print(f"{name} was not asked: {why}", markup=False, highlight=False)
    if entries:
        stdout.print(_table(entries))
    else:
        stderr.print(f"{agent} is deployed nowhere.", markup=False, highlight=False)


def _table(entries: list[Entry]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("environment", "version", "endpoints", "bundle", "code", "checks", "canary", "made", "by"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        hashes = [(found or "")[:12] for found in (entry.bundle, entry.code)]
        endpoints = ", ".join(entry.endpoints)
        told = (entry.checks or "", entry.canary or "", entry.created_at[:19], entry.by or "")
        table.add_row(entry.environment, entry.version, endpoints, *hashes, *told)
    return table
