"""The lock after a rollback: an agent's entry is again the one that it had when the version was promoted.

The release bucket keeps every lock that was published, so the entry is found there whole, with its checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strandline.callers import caller, moment
from strandline.releases.bucket import ReleaseBucket
from strandline.releases.lock import save_lock

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.releases.lock import ReleasedAgent, ReleaseLock
    from stacks.releases.store import ReleaseFolder
    from strandline.endpoints import Version
    from strandline.targets import Target


def restore_entry(target: Target, folder: ReleaseFolder, agent: str, version: Version) -> Path | None:
    """Writes a locked environment's lock so that it names what a version runs.

    Args:
        target: The environment.
        folder: The folder of the locks.
        agent: Id of the agent.
        version: The version that `live` leads to now.

    Returns:
        The file; nothing where the environment has no lock, or it names that already, or no earlier lock did.

    Raises:
        InputError: A lock is not what was promoted, or somebody promoted meanwhile.
        EnvironmentFault: S3 refuses, or the file cannot be written.
    """
    lock = folder.lock(target.environment.name) if target.environment.is_locked else None
    if lock is None or agent not in lock.agents or _is_of(lock.agents[agent], version):
        return None
    bucket = ReleaseBucket(target)
    published = bucket.published()
    entry = _entry_of(bucket.earlier_locks(), agent, version)
    if entry is None:
        return None
    told = {
        "promoted_by": caller(target),
        "promoted_at": moment(),
        "forced": f"rolled back to version {version.number}",
    }
    restored = lock.with_entries({agent: entry.model_copy(update=told)})
    bucket.publish(restored, published)
    return save_lock(folder, restored)


def _entry_of(locks: list[ReleaseLock], agent: str, version: Version) -> ReleasedAgent | None:
    entries = (lock.agents[agent] for lock in locks if agent in lock.agents)
    return next((entry for entry in entries if _is_of(entry, version)), None)


def _is_of(entry: ReleasedAgent, version: Version) -> bool:
    return (entry.bundle, entry.artefact) == (version.bundle, version.code)
