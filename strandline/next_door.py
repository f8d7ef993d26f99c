"""How far an environment is behind the one that its releases come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strandline.endpoints import Endpoints
from strandline.invocation import Runtime

if TYPE_CHECKING:
    from stacks.releases.lock import ReleaseLock
    from strandline.inventory import DeployedAgent
    from strandline.targets import Target

MOST = 25
"""Releases that are counted at most."""


@dataclass(frozen=True, slots=True)
class NextDoor:
    """One agent in one environment, beside the environment before it.

    Attributes:
        environment: Name of the environment before it.
        ahead: How many releases that one has deployed since the one that runs here; nothing where it does not know
            the one that runs here, or it was too long ago.
    """

    environment: str
    ahead: int | None


def look_next_door(here: DeployedAgent, lock: ReleaseLock | None, source: Target, there: DeployedAgent) -> NextDoor:
    """Compares what callers of an agent get in two environments.

    A release is a bundle and a code artefact. An overlay makes another bundle of the same release; which one that was
    where it comes from is in the lock of where it was promoted to.

    Args:
        here: The agent.
        lock: The lock that its environment was promoted to last; none where it deploys the working tree.
        source: The environment before it.
        there: The same agent there.

    Returns:
        How far that one is ahead.

    Raises:
        EnvironmentFault: AgentCore refuses, or cannot be reached.
    """
    name, runs = source.environment.name, (here.bundle, here.code)
    entry = lock.agents.get(here.agent) if lock else None
    if entry and entry.promoted_from == name and (entry.bundle, entry.artefact) == runs:
        runs = (entry.source_bundle or entry.bundle, entry.artefact)
    if runs == (there.bundle, there.code):
        return NextDoor(name, 0)
    endpoints = Endpoints(source, Runtime(there.arn, ""))
    return NextDoor(name, _count_since(endpoints, there.live, runs) if there.live else None)


def _count_since(endpoints: Endpoints, live: str, runs: tuple[str | None, str | None]) -> int | None:
    releases: set[tuple[str | None, str | None]] = set()
    for number in endpoints.versions():
        if int(number) > int(live):
            continue
        version = endpoints.version(number)
        if (version.bundle, version.code) == runs:
            return len(releases)
        releases.add((version.bundle, version.code))
        if len(releases) == MOST:
            break
    return None
