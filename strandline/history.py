"""The versions of an agent across environments: what each runs, how its checks went, who made it and when."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from strandline.canaries import record_of
from strandline.checks.results import find_records
from strandline.endpoints import Endpoints
from strandline.invocation import find_runtime
from strandline.releases.bucket import ReleaseBucket

if TYPE_CHECKING:
    from strandline.targets import Target


@dataclass(frozen=True, slots=True)
class Entry:
    """One version in one environment.

    Attributes:
        environment: Name of the environment.
        version: Number of the version.
        bundle: Hash of its bundle.
        code: Hash of its code artefact.
        endpoints: Endpoints that lead to it.
        checks: `passed`, `failed`, or nothing where no record is left.
        created_at: When it was made.
        canary: What became of it as a canary, and why; nothing where it was none.
        by: Who promoted it, where a lock that was published names it.
    """

    environment: str
    version: str
    bundle: str | None
    code: str | None
    endpoints: tuple[str, ...]
    checks: str | None
    created_at: str
    canary: str | None
    by: str | None

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        return asdict(self)


def read_history(target: Target, agent: str, most: int) -> list[Entry]:
    """Reads an agent's history in one environment.

    Args:
        target: The environment.
        agent: Id of the agent.
        most: How many versions at most.

    Returns:
        Versions, the newest first; empty where the agent is not deployed.
    """
    try:
        runtime = find_runtime(target, agent)
    except InputError:
        return []
    endpoints = Endpoints(target, runtime)
    behind, checks = endpoints.versions_behind(), _outcomes(target, agent)
    authors = _authors(target, agent)
    found = []
    for number in endpoints.versions()[:most]:
        version = endpoints.version(number)
        found.append(
            Entry(
                target.environment.name,
                number,
                version.bundle,
                version.code,
                tuple(sorted(name for name, at in behind.items() if at == number and name != "DEFAULT")),
                checks.get((number, version.bundle)),
                version.created_at,
                _canary(target, agent, number),
                authors.get((version.bundle, version.code)),
            )
        )
    return found


def _outcomes(target: Target, agent: str) -> dict[tuple[str, str | None], str]:
    """How the newest checks of each version went; a rollback of a stack makes a version that nobody checked."""
    return {
        (result.version, result.bundle): "passed" if result.passed else "failed"
        for result in find_records(target, agent)
    }


def _canary(target: Target, agent: str, number: str) -> str | None:
    record = record_of(target, agent, number) if target.environment.canary else None
    return record["reason"] if record else None


def _authors(target: Target, agent: str) -> dict[tuple[str | None, str | None], str]:
    """Who promoted what, by the hashes of bundle and code; a tree that is deployed as it is has no lock."""
    if not target.environment.is_locked:
        return {}
    entries = [lock.agents[agent] for lock in ReleaseBucket(target).earlier_locks() if agent in lock.agents]
    return {(entry.bundle, entry.artefact): entry.promoted_by for entry in reversed(entries)}
