"""Takes an agent out of a locked environment: out of the lock first, then its stack, then what knew of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from stacks.releases.lock import Removal
from stacks.releases.project import gateway_facts, gateway_of, released_agent
from strandline.callers import caller, moment
from strandline.deployed_stacks import list_stacks
from strandline.destruction import delete_stacks
from strandline.execution_roles import remove_roles
from strandline.releases.bucket import PublishedLock, ReleaseBucket
from strandline.releases.entries import begun_before
from strandline.releases.lock import save_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.releases.lock import ReleaseLock
    from stacks.releases.store import ReleaseFolder
    from strandline.commands.deploy import Deployment
    from strandline.targets import Target


@dataclass(frozen=True, slots=True)
class PlannedRemoval:
    """What a removal does.

    Attributes:
        agent: Id of the agent.
        lock: The lock without it.
        published: What the bucket has.
        stack: Its stack; nothing where that is gone already.
    """

    agent: str
    lock: ReleaseLock
    published: PublishedLock
    stack: str | None


def plan_removal(target: Target, folder: ReleaseFolder, agent: str, reason: str | None) -> PlannedRemoval:
    """Looks at the lock and at what is deployed; changes nothing.

    Args:
        target: The environment.
        folder: The project's releases.
        agent: Id of the agent.
        reason: Why it goes; kept in the lock.

    Returns:
        What would be done; also for a removal that was cut off.

    Raises:
        InputError: The environment has no lock, or the lock does not name the agent, or it is stale.
        EnvironmentFault: AWS refuses.
    """
    name = target.environment.name
    if not target.environment.is_locked:
        raise InputError(f"{name} deploys the working tree: take the blueprint away, and destroy the agent's stack.")
    lock = folder.lock(name)
    if lock is None or agent not in {*lock.agents, *lock.removed}:
        known = ", ".join(lock.agents) if lock and lock.agents else "none"
        raise InputError(f"{folder.lock_file(name)} names no agent {agent!r}: it names {known}.")
    wanted = lock
    if agent in lock.agents:
        removal = Removal(removed_by=caller(target), removed_at=moment(), reason=reason)
        wanted = _with_its_gateway(lock.without(agent, removal), target, folder)
    published = ReleaseBucket(target).published()
    if published.lock and published.lock != lock:
        wanted = begun_before(folder, wanted, published.lock)
    stack = target.agent_stack_name(agent)
    return PlannedRemoval(agent, wanted, published, stack if stack in list_stacks(target) else None)


def carry_out(planned: PlannedRemoval, target: Target, folder: ReleaseFolder, deployment: Deployment) -> Iterator[str]:
    """Removes the agent.

    Args:
        planned: What is done.
        target: The environment.
        folder: The project's releases.
        deployment: Deploys the rest.

    Yields:
        What happened.

    Raises:
        InputError: Somebody promoted meanwhile.
        EnvironmentFault: CloudFormation cannot delete the stack; run it again.
        DeploymentError: CloudFormation refuses the rest.
    """
    agent, name = planned.agent, target.environment.name
    if planned.published.lock != planned.lock:
        ReleaseBucket(target).publish(planned.lock, planned.published)
    yield f"{save_lock(folder, planned.lock)} names {agent} no more: commit it."
    if planned.stack:
        mend = f"run it again: strandline releases remove {agent} --env {name}"
        for stack in delete_stacks(target, [planned.stack], mend):
            yield f"{stack}: gone"
    roles = remove_roles(target, agent)
    users = deployment.secret_users()
    deployment.synthesise()
    deployment.deploy(users, lambda: None)
    yield f"{agent} is gone from {name}, {len(roles)} execution roles with it; the rest is as the lock says."


def _with_its_gateway(lock: ReleaseLock, target: Target, folder: ReleaseFolder) -> ReleaseLock:
    """The gateway is compiled for its agents: with one less it may be another."""
    settings, _ = gateway_of(folder, lock)
    if lock.gateway is None or settings is None:
        return lock
    name = target.environment.name
    agents = [released_agent(agent, entry, folder, name) for agent, entry in lock.agents.items()]
    configuration = gateway_facts(settings, target.environment, agents).configuration
    if configuration == lock.gateway.configuration:
        return lock
    stamp = {"promoted_by": caller(target), "promoted_at": moment()}
    return lock.with_entries({}, lock.gateway.model_copy(update={"configuration": configuration, **stamp}))
