"""Whether two locks, or two entries of locks, deploy the same, whoever wrote them and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from strandline.releases.bucket import told_of

if TYPE_CHECKING:
    from stacks.releases.lock import ReleasedAgent, ReleasedGateway, ReleaseLock
    from stacks.releases.store import ReleaseFolder

_WHO_AND_WHEN = {"promoted_by", "promoted_at", "promoted_from", "forced", "checks", "digest"}


def is_same(one: ReleasedAgent | ReleasedGateway | None, other: ReleasedAgent | ReleasedGateway | None) -> bool:
    """Whether two entries deploy the same, whoever promoted them and when.

    Args:
        one: An entry; none where there is none.
        other: Another.

    Returns:
        Whether they do.
    """
    if one is None or other is None:
        return one is other
    return one.model_dump(exclude=_WHO_AND_WHEN) == other.model_dump(exclude=_WHO_AND_WHEN)


def _same_releases(one: ReleaseLock, other: ReleaseLock) -> bool:
    return (
        one.agents.keys() == other.agents.keys()
        and all(is_same(entry, other.agents[name]) for name, entry in one.agents.items())
        and is_same(one.gateway, other.gateway)
    )


def begun_before(folder: ReleaseFolder, lock: ReleaseLock, published: ReleaseLock) -> ReleaseLock:
    """Takes over what was begun, and ended after the bucket had the lock and before the file had it.

    Args:
        folder: The project's releases.
        lock: What is to be published.
        published: What the bucket has.

    Returns:
        The lock that was published, which deploys the same.

    Raises:
        InputError: It deploys something else: the file is stale.
    """
    if _same_releases(published, lock):
        return published
    name = lock.environment
    raise InputError(
        f"{folder.lock_file(name)} is not what {name} was promoted to last{told_of(published)}: get that from version "
        f"control and promote again, or `strandline deploy --env {name}` to go back to what is here."
    )
