"""`strandline status`: what runs in an environment, and the agents of all environments beside each other."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.console import stderr, stdout
from strandline.inventory import take_inventory
from strandline.targets import ENVIRONMENTS, EnvironmentsOption, JsonOption, open_targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from strandline.inventory import DeployedAgent, Inventory
    from strandline.next_door import NextDoor
    from strandline.targets import Target


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
        beside = _look_next_door(targets, found)
    if as_json:
        told = {
            name: inventory.as_dict() | {"next_door": {agent: asdict(one) for agent, one in beside[name].items()}}
            for name, inventory in found.items()
        }
        stdout.print_json(json.dumps(told[env] if env else told))
        return
    for name, why in silent.items():
        stderr.print(f"{name} was not asked: {why}", markup=False, highlight=False)
    for name, inventory in found.items():
        if not inventory.stacks:
            stderr.print(f"Nothing is deployed in {name}: `strandline deploy --env {name}`.")
    if env is None:
        deployed = {name: inventory for name, inventory in found.items() if inventory.stacks}
        stdout.print(_side_by_side(deployed, beside))
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
        table.add_row("agent", agent.runtime, agent.status, f"{_versions(agent)}, {_month(inventory, agent)}")
    if inventory.gateway:
        table.add_row("gateway", inventory.gateway["serviceName"], inventory.gateway["status"], _tasks(inventory))
    for variable, has_value in inventory.secrets.items():
        age = f"changed {inventory.secret_ages[variable]} days ago"
        table.add_row("secret", variable, "has a value" if has_value else "no value yet", age if has_value else "")
    return table


def _versions(agent: DeployedAgent) -> str:
    return (
        f"version {agent.version}, live {agent.live}, candidate {agent.candidate}, previous {agent.previous}, "
        f"bundle {(agent.bundle or 'none')[:12]}" + (f", canary: {agent.canary}" if agent.canary else "")
    )


def _look_next_door(targets: Sequence[Target], found: Mapping[str, Inventory]) -> dict[str, dict[str, NextDoor]]:
    """How far each agent is behind the environment before its own that has it; by environment and agent."""
    from strandline.next_door import look_next_door
    from strandline.releases.bucket import ReleaseBucket

    beside: dict[str, dict[str, NextDoor]] = {}
    before: dict[str, tuple[Target, DeployedAgent]] = {}
    for target in targets:
        name = target.environment.name
        here = {agent.agent: agent for agent in found[name].agents}
        lock = ReleaseBucket(target).published().lock if here and target.environment.is_locked else None
        beside[name] = {
            agent: look_next_door(deployed, lock, *before[agent]) for agent, deployed in here.items() if agent in before
        }
        before |= {agent: (target, deployed) for agent, deployed in here.items()}
    return beside


def _side_by_side(inventories: Mapping[str, Inventory], beside: Mapping[str, Mapping[str, NextDoor]]) -> Table:
    """Agents by environments, in the order of the file, with what else each environment has below."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("agent")
    for name in inventories:
        table.add_column(name, overflow="fold")
    for agent in sorted({agent.agent for inventory in inventories.values() for agent in inventory.agents}):
        cells = []
        for name, inventory in inventories.items():
            found = next((one for one in inventory.agents if one.agent == agent), None)
            cells.append(_cell(inventory, found, beside[name].get(agent)) if found else "")
        table.add_row(agent, *cells)
    table.add_section()
    table.add_row("gateway", *(_tasks(inventory) for inventory in inventories.values()))
    table.add_row("secrets", *(_ages(inventory) for inventory in inventories.values()))
    return table


def _cell(inventory: Inventory, agent: DeployedAgent, beside: NextDoor | None) -> str:
    told = [f"live {agent.live}", f"bundle {(agent.bundle or 'none')[:12]}"]
    if agent.canary:
        told.append(f"canary: {agent.canary}")
    elif agent.candidate != agent.live:
        told.append(f"candidate {agent.candidate}")
    if agent.status != "READY":
        told.append(agent.status)
    if beside:
        told.append(_ahead(beside))
    return ", ".join([*told, _month(inventory, agent)])


def _ahead(beside: NextDoor) -> str:
    if beside.ahead is None:
        return f"another than {beside.environment}'s"
    if beside.ahead == 0:
        return f"the same as {beside.environment}"
    return f"{beside.environment} is ahead by {beside.ahead} release{'s' if beside.ahead > 1 else ''}"


def _month(inventory: Inventory, agent: DeployedAgent) -> str:
    """What the agent did and cost since the month began."""
    usage = inventory.usage[agent.agent]
    cost = "cost not told" if usage.cost_usd is None else f"{usage.cost_usd:.2f} USD"
    return f"{cost}, {usage.invocations} calls this month" if usage.invocations else "no calls this month"


def _tasks(inventory: Inventory) -> str:
    gateway = inventory.gateway
    return f"{gateway['runningCount']} of {gateway['desiredCount']} tasks run" if gateway else "none"


def _ages(inventory: Inventory) -> str:
    """The oldest secret, and how many have no value."""
    set_ages = {name: inventory.secret_ages[name] for name, has_value in inventory.secrets.items() if has_value}
    told = []
    if set_ages:
        oldest = max(set_ages, key=set_ages.__getitem__)
        told.append(f"{len(set_ages)}, the oldest of {set_ages[oldest]} days ({oldest})")
    empty = len(inventory.secrets) - len(set_ages)
    if empty:
        told.append(f"{empty} without a value")
    return ", ".join(told) or "none"
