"""`strandline promote`: what one environment runs becomes what the next one deploys; shown first, asked, then done."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError
from strandline.asking import ask
from strandline.commands.deploy import Deployment
from strandline.console import stderr, stdout
from strandline.local_cloud import default_home
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    BlueprintsOption,
    EnvironmentsOption,
    JsonOption,
    open_target,
)

if TYPE_CHECKING:
    from strandline.releases.plan import Plan

CHANGES = 2
"""Exit code of `--plan` where something would change."""


def promote(
    source: Annotated[str, typer.Option("--from", help="Environment that runs the release.")],
    destination: Annotated[str, typer.Option("--to", help="Environment that gets it: staging or production.")],
    agents: Annotated[list[str] | None, typer.Argument(help="Ids of the agents.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All agents that may go there, and the gateway.")] = False,
    gateway: Annotated[bool, typer.Option("--gateway", help="The gateway goes along with the named agents.")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would change; exit code 2 where it does.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Promote without asking.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Pass over order and checks; needs --reason.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; kept in the lock.")] = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
    blueprints: BlueprintsOption = BLUEPRINTS,
) -> None:
    """Promote agents to the next environment: the same code and prompts, by their hashes."""
    from strandline.releases.promotion import Request
    from strandline.releases.session import PromotionSession

    if bool(agents) == everything:
        raise InputError("Name the agents to promote, or say --all.")
    if force != bool(reason):
        raise InputError("--force and --reason go together: the reason is kept in the lock.")
    request = Request(tuple(agents or ()), with_gateway=gateway or everything, reason=reason)
    places = open_target(source, environments), open_target(destination, environments)
    with tempfile.TemporaryDirectory(prefix="promotion-", dir=_home()) as scratch:
        folder = Path(scratch)
        deployment = Deployment(
            places[1],
            environments=environments,
            blueprints=blueprints,
            releases=folder / "releases",
            assembly=folder / "assembly",
        )
        session = PromotionSession(*places, environments=environments, blueprints=blueprints, deployment=deployment)
        with stderr.status(f"Looking at {source} and {destination}"):
            planned = session.plan(request, folder / "releases", folder / "assembly")
        if as_json:
            stdout.print_json(json.dumps(planned.as_dict()))
        else:
            _print_plan(planned)
        if plan:
            raise typer.Exit(CHANGES if planned.changes else 0)
        if not planned.changes:
            return
        if not yes and not ask(f"Promote this to {destination}?"):
            raise typer.Abort
        for line in session.carry_out():
            stderr.print(line, highlight=False, markup=False, soft_wrap=True)


def _home() -> Path:
    home = default_home().resolve()
    home.mkdir(parents=True, exist_ok=True)
    return home


def _print_plan(plan: Plan) -> None:
    if not plan.changes:
        stdout.print(f"Nothing changes: {plan.destination} has what {plan.source} runs.", highlight=False)
        return
    for line in _lines(plan):
        stdout.print(line, highlight=False, markup=False, soft_wrap=True)


def _lines(plan: Plan) -> list[str]:
    lines = [f"From {plan.source} to {plan.destination}:"]
    for move in plan.agents:
        was = f"{move.before} -> " if move.before and move.changes else ""
        state = f"{was}{move.version}, bundle {move.bundle[:12]}, code {move.artefact[:12]}"
        lines.append(f"  {move.agent}: {state if move.changes else 'unchanged'}; checks: {move.checks}")
        lines += [f"    differs from {plan.source}: {line}" for line in move.overlay]
    if plan.gateway:
        lines.append(f"  gateway: {plan.gateway}")
    lines += [f"  passed over: {rule}" for rule in plan.forced]
    lines += [f"  CloudFormation is still at work on {stack}: its end is awaited" for stack in plan.at_work]
    sections = (
        (
            "Resources",
            [
                f"{one.action} {one.stack}/{one.resource} ({one.type}) {', '.join(one.properties)}".rstrip()
                for one in plan.resources
            ],
        ),
        ("Rights", list(plan.rights)),
        ("Sessions", list(plan.sessions)),
        ("Cost of an idle month", [_cost(plan)]),
    )
    for title, content in sections:
        lines += [f"{title}:", *(f"  {line}" for line in content or ["no change"])]
    return lines


def _cost(plan: Plan) -> str:
    before, after = plan.cost.before, plan.cost.after
    if before is None or after is None:
        return f"not known: {plan.cost.note}"
    return f"{after - before:+.2f} USD ({before:.2f} -> {after:.2f})"
