"""`strandline destroy`: takes an environment away, after it has said what goes and what stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.asking import require_name
from strandline.console import stderr, stdout
from strandline.targets import ENVIRONMENTS, EnvironmentOption, EnvironmentsOption, JsonOption, open_target

if TYPE_CHECKING:
    from strandline.destruction import Plan

_SHOWN = 10


def destroy(
    env: EnvironmentOption,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="Name of the environment, in place of typing it.")
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Say what would go and what would stay.")] = False,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Take an environment away. Its name has to be typed; secrets with values of staging and production stay."""
    from strandline.destruction import destroy_environment, plan_destruction

    target = open_target(env, environments)
    plan = plan_destruction(target)
    if as_json:
        stdout.print_json(json.dumps(plan.as_dict()))
    else:
        _show(plan, env)
    if plan_only or not plan.steps:
        return
    require_name(env, confirm, "take it away")
    gone = destroy_environment(target, plan, lambda told: stderr.print(told, markup=False, highlight=False))
    stderr.print(f"{env} is gone, {len(gone)} execution roles with it.", highlight=False)


def _show(plan: Plan, env: str) -> None:
    if not plan.steps:
        stderr.print(f"Nothing is deployed in {env}.", highlight=False)
        return
    for number, step in enumerate(plan.steps, 1):
        stdout.print(f"{number}. goes: {', '.join(step)}", markup=False, highlight=False)
    for becomes, kind in dict.fromkeys((one.becomes, one.kind) for one in plan.kept):
        names = [one.name for one in plan.kept if (one.becomes, one.kind) == (becomes, kind)]
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        stdout.print(f"   {becomes}: {kind} {shown}", markup=False, highlight=False)
    for note in plan.notes:
        stdout.print(f"   {note}", markup=False, highlight=False)
