"""The execution roles of agents: each set of rights has its own, and versions keep theirs (`stacks/agent_stack.py`)."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from stacks.names import role_path
from strandline.endpoints import Endpoints
from strandline.invocation import find_runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strandline.endpoints import Version
    from strandline.targets import Target

# A session lives for eight hours at most, and IAM is some hours late with what it knows of a role's last use
# ("Refining permissions in AWS using last accessed information", IAM User Guide).
_IDLE = timedelta(days=1)


def require_role(target: Target, agent: str, version: Version) -> None:
    """Makes sure that a version has its role when callers are led to it.

    Args:
        target: The environment.
        agent: Id of the agent.
        version: The version.

    Raises:
        InputError: The role is gone.
    """
    iam = target.client("iam")
    try:
        iam.get_role(RoleName=version.role_arn.rpartition("/")[2])
    except iam.exceptions.NoSuchEntityException:
        name = target.environment.name
        raise InputError(
            f"Version {version.number} of {agent} in {name} cannot run any more, its role is gone: restore the "
            f"blueprint from version control and deploy it: strandline deploy --env {name}"
        ) from None


def remove_unused_roles(target: Target) -> list[str]:
    """Removes roles of versions that no endpoint leads to and that no session has used for a day.

    Args:
        target: The environment.

    Returns:
        Names of the roles that are gone.
    """
    iam = target.client("iam")
    removed = []
    for agent, roles in _roles_by_agent(target, iam).items():
        # One role is that of the newest version.
        kept = _roles_in_use(target, agent) if len(roles) > 1 else set(roles)
        for arn in sorted(set(roles) - kept):
            name = arn.rpartition("/")[2]
            if _is_idle(iam.get_role(RoleName=name)["Role"]):
                _remove(iam, name)
                removed.append(name)
    return removed


def remove_roles(target: Target, agent: str | None = None) -> list[str]:
    """Removes the execution roles of agents that are gone.

    Args:
        target: The environment.
        agent: Id of the agent; all of the environment's where none is named.

    Returns:
        Names of the roles.
    """
    iam = target.client("iam")
    found = _roles_by_agent(target, iam)
    names = [arn.rpartition("/")[2] for name, roles in found.items() if agent in (None, name) for arn in roles]
    for name in names:
        _remove(iam, name)
    return names


def _roles_by_agent(target: Target, iam: Any) -> dict[str, list[str]]:
    prefix = role_path(target.environment, "x").removesuffix("x/")
    roles: dict[str, list[str]] = defaultdict(list)
    for page in iam.get_paginator("list_roles").paginate(PathPrefix=prefix):
        for role in page["Roles"]:
            if role["Path"].startswith(prefix):
                roles[role["Path"].removeprefix(prefix).rstrip("/")].append(role["Arn"])
    return roles


def _roles_in_use(target: Target, agent: str) -> set[str]:
    return set(_held(Endpoints(target, find_runtime(target, agent))))


def _held(endpoints: Endpoints) -> Iterator[str]:
    for number in set(endpoints.versions_behind().values()):
        yield endpoints.version(number).role_arn


def _is_idle(role: dict[str, Any]) -> bool:
    used = role.get("RoleLastUsed", {}).get("LastUsedDate") or role["CreateDate"]
    return bool(datetime.now(UTC) - max(used, role["CreateDate"]) > _IDLE)


def _remove(iam: Any, name: str) -> None:
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)
