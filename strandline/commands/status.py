"""`strandline status`: what runs in an environment, and the agents of all environments beside each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.console import stderr, stdout
from strandline.inventory import take_inventory
from strandline.targets import ENVIRONMENTS, EnvironmentsOption, JsonOption, open_targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from strandline.inventory import DeployedAgent, Inventory


def status(
    env: Annotated[
        str | None, typer.Option("--env", "-e", help="One environment; left out, all that can be asked.")
    ] = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Show stacks, agents, gateway and secrets; never a secret's value."""
    targets, silent = open_targets(env, environments)
    with stderr.status("Asking AWS"):
        found: dict[str, Inventory] = {target.environment.name: take_inventory(target) for target in targets}
    if as_json:
        told = found[env].as_dict() if env else {name: inventory.as_dict() for name, inventory in found.items()}
        stdout.print_json(json.dumps(told))
        return
    for name, why in silent.items():
        stderr.print(f"{name} was not asked: {why}", markup=False, highlight=False)
    for name, inventory in found.items():
        if not inventory.stacks:
            stderr.print(f"Nothing is deployed in {name}: `strandline deploy --env {name}`.")
    if env is None:
        stdout.print(_side_by_side({name: inventory for name, inventory in found.items() if inventory.stacks}))
    elif found[env].stacks:
        stdout.print(_table(found[env]))


def _table(inventory: Inventory) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("", "name", "state", "detail"):
        table.add_column(heading, overflow="fold")
    for name, state in inventory.stacks.items():
        table.add_row("stack", name, state, "")
    for agent in inventory.agents:
        table.add_row("agent", agent.runtime, agent.status, _versions(agent))
    if inventory.gateway:
        tasks = f"{inventory.gateway['runningCount']} of {inventory.gateway['desiredCount']} tasks run"
        table.add_row("gateway", inventory.gateway["serviceName"], inventory.gateway["status"], tasks)
    for variable, has_value in inventory.secrets.items():
        age = f"changed {inventory.secret_ages[variable]} days ago"
        table.add_row("secret", variable, "has a value" if has_value else "no value yet", age if has_value else "")
    return table


def _versions(agent: DeployedAgent) -> str:
    return (
        f"version {agent.version}, live {agent.live}, candidate {agent.candidate}, previous {agent.previous}, "
        f"bundle {(agent.bundle or 'none')[:12]}"
    )


def _side_by_side(inventories: Mapping[str, Inventory]) -> Table:
    """Agents by environments, in the order of the file: the hash of each, and whether it is that of the one before."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("agent")
    agents = {
        name: {agent.runtime.removeprefix(f"{name}_"): agent for agent in inventory.agents}
        for name, inventory in inventories.items()
    }
    for name in inventories:
        table.add_column(name, overflow="fold")
    for agent in sorted({agent for there in agents.values() for agent in there}):
        cells, before = [], None
        for there in agents.values():
            found = there.get(agent)
            cells.append(_cell(found, before) if found else "")
            before = found or before
        table.add_row(agent, *cells)
    return table


def _cell(agent: DeployedAgent, before: DeployedAgent | None) -> str:
    told = f"live {agent.live}, bundle {(agent.bundle or 'none')[:12]}"
    if agent.candidate != agent.live:
        told += f", candidate {agent.candidate}"
    if agent.status != "READY":
        told += f", {agent.status}"
    if before is None:
        return told
    return f"{told}, {'the same' if (agent.bundle, agent.code) == (before.bundle, before.code) else 'another'}"
