"""`strandline rotate`: a new value of a secret, verified before anybody sees it, and used everywhere at the end."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError
from strandline.console import stderr
from strandline.local_cloud import default_home
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    BlueprintsOption,
    EnvironmentOption,
    EnvironmentsOption,
    Target,
    open_target,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from strandline.rotation.rotate import Rotation

# A handler reads its secrets anew at this age, give or take what it takes to read them.
_MARGIN_SECONDS = 15


def rotate(
    names: Annotated[list[str], typer.Argument(help="Names of variables; several where they work together only.")],
    env: EnvironmentOption,
    value_from: Annotated[
        str | None, typer.Option(help="`-` for standard input: the value, or lines NAME=value for several.")
    ] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Back to the values before.")] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="Give up a rotation whose value nobody has yet.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done.")] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Also where nothing here can tell whether a value works.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until every agent has read the new value.")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    blueprints: BlueprintsOption = BLUEPRINTS,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Give a secret a new value, live: verified, promoted, used everywhere. Goes on with one that was cut off."""
    from stacks.project import load_project
    from strandline.rotation import audit
    from strandline.rotation.gateway_tasks import NewTasksFail
    from strandline.rotation.rotate import Rotation

    target = open_target(env, environments)
    record = partial(audit.record, default_home() / "audit", env, audit.caller(target))
    distinct = list(dict.fromkeys(names))
    rotation = Rotation(target, load_project(blueprints), distinct, record)
    if abandon:
        rotation.abandon()
        stderr.print("[green]abandoned:[/] what was staged is taken back")
        return
    if rollback:
        _confirm(yes, f"Make the values before the present ones of {', '.join(rotation.uses)} current again in {env}?")
        rotation.roll_back()
        _spread(rotation, target, wait)
        return
    if rotation.unverifiable and not unverified:
        raise InputError(
            f"Nothing here can tell whether a value of {', '.join(rotation.unverifiable)} works: "
            "--unverified rotates it all the same."
        )
    step = rotation.look().step
    if dry_run:
        _tell_plan(rotation, step)
        return
    if step == "stage":
        _confirm(yes, f"Rotate {', '.join(rotation.uses)} in {env}?")
        rotation.stage(_reader(value_from, distinct))
        stderr.print("[green]staged:[/] as AWSPENDING; nobody reads it yet")
    else:
        stderr.print(f"going on with a rotation that was cut off before: {step}")
    if step != "spread":
        rotation.verify()
        stderr.print("[green]verified:[/] the new value opens what it is for")
        rotation.promote()
        stderr.print("[green]promoted:[/] it is AWSCURRENT, the old one AWSPREVIOUS")
    try:
        _spread(rotation, target, wait)
    except NewTasksFail:
        # Any other fault leaves it to the next run, which goes on: the value itself was found to be good.
        if rotation.can_roll_back:
            rotation.roll_back()
            stderr.print("rolled back: the old value is current again", style="red")
        raise
    rotation.finish()
    stderr.print("[green]done:[/] the old key may be retired where it was made")


def _spread(rotation: Rotation, target: Target, wait: bool) -> None:
    from agent_runtime.secret_store import CACHE_SECONDS
    from strandline.rotation.gateway_tasks import roll_gateway

    if rotation.reaches_gateway:
        with stderr.status("New tasks of the gateway") as status:
            roll_gateway(target, status.update)
        stderr.print("[green]gateway:[/] all of its tasks have the new value")
    if rotation.agents and wait:
        seconds = int(CACHE_SECONDS) + _MARGIN_SECONDS
        with stderr.status("") as status:
            for left in range(seconds, 0, -1):
                status.update(f"Agents read it within {left} s: {', '.join(rotation.agents)}")
                time.sleep(1)
        stderr.print(f"[green]agents:[/] {', '.join(rotation.agents)} have read it")


def _tell_plan(rotation: Rotation, step: str) -> None:
    for variable, uses in rotation.uses.items():
        told = sorted({f"{use.by} ({use.probe.url if use.probe else 'cannot be verified'})" for use in uses})
        stderr.print(f"{variable}: {', '.join(told)}", markup=False, highlight=False, soft_wrap=True)
    stderr.print(f"next step: {step}; new tasks of the gateway: {'yes' if rotation.reaches_gateway else 'no'}")


def _confirm(yes: bool, question: str) -> None:
    if not yes and not (sys.stdin.isatty() and typer.confirm(question, err=True)):
        raise InputError("Nothing was changed: answer yes at the prompt, or give --yes where nobody can answer.")


def _reader(value_from: str | None, names: list[str]) -> Callable[[str], str]:
    from strandline.secret_values import read_value

    if value_from is None:
        if not sys.stdin.isatty():
            raise InputError("Give the new value at a prompt, or pipe it in with --value-from -.")
        return lambda name: read_value(f"New value of {name}")
    if value_from != "-":
        raise InputError("--value-from takes `-`, standard input, and nothing else: a command line is seen by others.")
    given = read_value("")
    if len(names) == 1:
        return lambda _: given
    from io import StringIO

    from dotenv import dotenv_values

    values = dotenv_values(stream=StringIO(given), interpolate=False)
    return lambda name: values.get(name) or ""
