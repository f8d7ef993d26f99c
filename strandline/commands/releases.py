"""`strandline releases`: what a lock names, changed other than by a promotion."""

from __future__ import annotations

from typing import Annotated

import typer

from strandline.asking import confirm
from strandline.commands.deploy import Deployment
from strandline.console import stderr
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    AgentArgument,
    BlueprintsOption,
    EnvironmentOption,
    EnvironmentsOption,
    open_target,
)

app = typer.Typer(no_args_is_help=True, help="The release locks.")


@app.callback()
def releases() -> None:
    """The release locks."""


@app.command("remove")
def remove(
    agent: AgentArgument,
    env: EnvironmentOption,
    reason: Annotated[str | None, typer.Option(help="Why; kept in the lock.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
    blueprints: BlueprintsOption = BLUEPRINTS,
) -> None:
    """Take an agent out of an environment: out of its lock, with its stack and roles; secrets and logs stay."""
    from stacks.releases.store import ReleaseFolder
    from strandline.releases.removal import carry_out, plan_removal

    target, folder = open_target(env, environments), ReleaseFolder.beside(environments)
    planned = plan_removal(target, folder, agent, reason)
    told = f"its stack {planned.stack} goes, and its running sessions end" if planned.stack else "its stack is gone"
    stderr.print(f"{agent} in {env}: {told}. Secrets and logs stay, and so does its artefact.", highlight=False)
    confirm(yes, f"Take {agent} out of {env}?")
    deployment = Deployment(target, environments=environments, blueprints=blueprints)
    for line in carry_out(planned, target, folder, deployment):
        stderr.print(line, markup=False, highlight=False, soft_wrap=True)
