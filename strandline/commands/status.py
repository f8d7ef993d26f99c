"""`strandline status`: what runs in an environment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from strandline.console import stderr, stdout
from strandline.inventory import take_inventory
from strandline.targets import ENVIRONMENTS, EnvironmentOption, EnvironmentsOption, JsonOption, open_target

if TYPE_CHECKING:
    from rich.table import Table

    from strandline.inventory import Inventory


def status(
    env: EnvironmentOption, as_json: JsonOption = False, environments: EnvironmentsOption = ENVIRONMENTS
) -> None:
    """Show stacks, agents, gateway and secrets of an environment; never a secret's value."""
    target = open_target(env, environments)
    with stderr.status(f"Asking AWS about {env}"):
        inventory = take_inventory(target)
    if as_json:
        stdout.print_json(json.dumps(inventory.as_dict()))
    elif not inventory.stacks:
        stderr.print(f"Nothing is deployed in {env}: `strandline deploy --env {env}`.")
    else:
        stdout.print(_table(inventory))


def _table(inventory: Inventory) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("", "name", "state", "detail"):
        table.add_column(heading, overflow="fold")
    for name, state in inventory.stacks.items():
        table.add_row("stack", name, state, "")
    for agent in inventory.agents:
        table.add_row("agent", agent.runtime, agent.status, f"version {agent.version}, live {agent.live}")
    if inventory.gateway:
        tasks = f"{inventory.gateway['runningCount']} of {inventory.gateway['desiredCount']} tasks run"
        table.add_row("gateway", inventory.gateway["serviceName"], inventory.gateway["status"], tasks)
    for variable, has_value in inventory.secrets.items():
        table.add_row("secret", variable, "has a value" if has_value else "no value yet", "")
    return table
