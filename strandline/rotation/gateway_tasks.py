"""New tasks of the gateway, which read its secrets as they are now, before the old ones go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from stacks.custom_resources import gateway_tasks
from strandline.aws_errors import told
from strandline.gateway_service import find_gateway

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from strandline.targets import Target

# ECS waits for the balancer's deregistration too; a deployment that takes longer has its circuit breaker to end it.
_MOST_SECONDS = 1800.0


class NewTasksFail(EnvironmentFault):
    """Raised when the new tasks do not serve; the old ones go on, with the values that they began with."""


def open_tasks(target: Target) -> gateway_tasks.GatewayTasks:
    """Opens the tasks of an environment's gateway.

    Args:
        target: The environment.

    Returns:
        The tasks.

    Raises:
        EnvironmentFault: There is no gateway, or AWS refuses or cannot be reached.
    """
    found = find_gateway(target)
    if found is None:
        raise EnvironmentFault(f"{target.environment.name} has no gateway: deploy the environment first.")
    return gateway_tasks.GatewayTasks(target.client("ecs"), found.cluster, found.service)


def patience() -> Callable[[], float]:
    """Tells the seconds for which new tasks are still waited for, from now on."""
    ends = time.monotonic() + _MOST_SECONDS
    return lambda: ends - time.monotonic()


def roll_gateway(target: Target, since: dt.datetime, progress: Callable[[str], None]) -> None:
    """Sees that every task of the gateway began after a moment.

    ECS starts new tasks, waits until they are healthy, and only then ends the old ones ("Amazon ECS rolling updates").
    A deployment that somebody else began after the moment does as well.

    Args:
        target: The environment.
        since: When the secrets got the values that tasks have to read.
        progress: Told what is waited for.

    Raises:
        NewTasksFail: The new tasks do not become healthy, or they take too long.
        EnvironmentFault: There is no gateway, or AWS refuses or cannot be reached.
    """
    with told("AWS", "AWS does not replace the gateway's tasks"):
        try:
            open_tasks(target).replace_older(since, patience(), progress)
        except gateway_tasks.NewTasksFail as fault:
            raise NewTasksFail(f"The new value does not reach the gateway, because {fault}.") from None
