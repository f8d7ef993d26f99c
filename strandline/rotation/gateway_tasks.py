"""New tasks of the gateway, which read its secrets as they are now, before the old ones go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from strandline.aws_errors import told
from strandline.gateway_service import find_gateway

if TYPE_CHECKING:
    from collections.abc import Callable

    from strandline.targets import Target

_POLL_SECONDS = 3.0
# ECS waits for the balancer's deregistration too; a deployment that takes longer has its circuit breaker to end it.
MOST_SECONDS = 1800.0
"""The longest that new tasks are waited for."""


class NewTasksFail(EnvironmentFault):
    """Raised when the new tasks do not serve; the old ones go on, with the values that they began with."""


def roll_gateway(
    target: Target, progress: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Replaces the gateway's tasks and waits until the new ones serve alone.

    ECS starts new tasks, waits until they are healthy, and only then ends the old ones ("Amazon ECS rolling updates").

    Args:
        target: The environment.
        progress: Told what is waited for.
        sleep: Waits between two looks.

    Raises:
        NewTasksFail: The new tasks do not become healthy, or they take too long.
        EnvironmentFault: There is no gateway, or AWS refuses or cannot be reached.
    """
    with told("AWS", "AWS does not replace the gateway's tasks"):
        found = find_gateway(target)
        if found is None:
            raise EnvironmentFault(f"{target.environment.name} has no gateway (stack {target.stack_name('Gateway')}).")
        client = target.client("ecs")
        started = client.update_service(cluster=found.cluster, service=found.service, forceNewDeployment=True)
        deployment = next(one["id"] for one in started["service"]["deployments"] if one["status"] == "PRIMARY")
        waited = 0.0
        while waited < MOST_SECONDS:
            ours = next((one for one in found.describe(client)["deployments"] if one["id"] == deployment), None)
            if ours is None or ours["rolloutState"] == "FAILED":
                reason = (ours or {}).get("rolloutStateReason", "another deployment took its place")
                raise NewTasksFail(f"The gateway's new tasks do not serve, and its old ones go on: {reason}")
            if ours["rolloutState"] == "COMPLETED":
                return
            progress(f"gateway: {ours['runningCount']} of {ours['desiredCount']} new tasks")
            sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
    raise NewTasksFail(f"The gateway's new tasks do not serve after {MOST_SECONDS:.0f} s; its old ones go on.")
