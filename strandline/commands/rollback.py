"""`strandline rollback`: callers get the version before, at once and without a deployment."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import EnvironmentFault, InputError, StrandlineError
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


def rollback(
    agent: AgentArgument,
    env: EnvironmentOption,
    to: Annotated[
        str | None, typer.Option("--to", help="Number of the version; left out, the one behind `previous`.")
    ] = None,
    as_json: JsonOption = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Move an agent's `live` to the version before, by one update of the endpoint."""
    from stacks.custom_resources.canary_records import BACK
    from stacks.names import LIVE
    from stacks.releases.store import ReleaseFolder
    from strandline.canaries import end_canary, running_canary
    from strandline.endpoints import Endpoints
    from strandline.execution_roles import require_role
    from strandline.invocation import find_runtime
    from strandline.releases.rollback import restore_entry

    started = time.perf_counter()
    target = open_target(env, environments)
    endpoints = Endpoints(target, find_runtime(target, agent))
    canary = running_canary(target, agent)
    behind = endpoints.versions_behind()
    live = behind.get(LIVE)
    # The version before a canary is the one that live never left.
    wanted = to or (canary and live) or _version_before(behind, agent, env)
    version = endpoints.version(wanted)
    require_role(target, agent, version)
    if canary:
        end_canary(target, canary, BACK, "it was rolled back")
    if live != wanted:
        endpoints.move_live(wanted)
    try:
        written = restore_entry(target, ReleaseFolder.beside(environments), agent, version)
    except StrandlineError as fault:
        raise EnvironmentFault(
            f"live of {agent} in {env} is at version {wanted}, and the lock does not say so yet: {fault} "
            f"Then go on with: strandline rollback {agent} --env {env} --to {wanted}"
        ) from None
    if live == wanted and not canary and not written:
        raise InputError(f"live of {agent} in {env} is at version {wanted} already: see strandline history {agent}.")
    took = time.perf_counter() - started
    told = {"agent": agent, "environment": env, "from": live, "to": wanted, "bundle": version.bundle, "seconds": took}
    told["canary"] = canary.version if canary else None
    if as_json:
        stdout.print_json(json.dumps(told))
        return
    if canary:
        stderr.print(f"The canary of {agent} in {env}, version {canary.version}, went back.", highlight=False)
    if live != wanted:
        stderr.print(f"{agent} in {env}: live went from version {live} to {wanted} in {took:.1f} s.", highlight=False)
    if written:
        stderr.print(f"{written} names it again: commit it.", markup=False, highlight=False)
    elif target.environment.is_locked:
        stderr.print(
            f"The lock of {env} was left as it is: no earlier one names that version. Promote what {env} shall run.",
            highlight=False,
        )
    stderr.print(
        "New sessions get it now; those that run keep their version until they end. The next deployment that changes "
        "the agent moves live on: mend the blueprint, or restore it from version control, before you deploy.",
        highlight=False,
    )


def _version_before(behind: Mapping[str, str], agent: str, env: str) -> str:
    from stacks.names import LIVE, PREVIOUS

    before = behind.get(PREVIOUS)
    if before is None or before == behind.get(LIVE):
        raise InputError(
            f"There is no version before that of {agent} in {env}: the endpoint previous holds "
            f"{'none' if before is None else 'the same as live'}. Name one of strandline history {agent} with --to."
        )
    return before
