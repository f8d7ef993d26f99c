"""New tasks of the gateway, which read its secrets as they are now, before the old ones go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from strandline.targets import Target

_POLL_SECONDS = 3.0
# ECS waits for the balancer's deregistration too; a deployment that takes longer has its circuit breaker to end it.
_MOST_SECONDS = 1800.0


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
        EnvironmentFault: There is no gateway, its new tasks do not become healthy, or they take too long; the old tasks
            serve on.
    """
    cluster, service = find_service(target)
    client = target.client("ecs")
    started = client.update_service(cluster=cluster, service=service, forceNewDeployment=True)["service"]
    deployment = next(one["id"] for one in started["deployments"] if one["status"] == "PRIMARY")
    waited = 0.0
    while waited < _MOST_SECONDS:
        (now,) = client.describe_services(cluster=cluster, services=[service])["services"]
        ours = next((one for one in now["deployments"] if one["id"] == deployment), None)
        if ours is None or ours["rolloutState"] == "FAILED":
            reason = (ours or {}).get("rolloutStateReason", "another deployment took its place")
            raise EnvironmentFault(f"The gateway's new tasks do not serve, and its old ones go on: {reason}")
        if ours["rolloutState"] == "COMPLETED":
            return
        progress(f"gateway: {ours['runningCount']} of {ours['desiredCount']} new tasks")
        sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS
    raise EnvironmentFault(f"The gateway's new tasks do not serve after {_MOST_SECONDS:.0f} s; its old ones go on.")


def find_service(target: Target) -> tuple[Any, Any]:
    """Finds the gateway in ECS.

    Args:
        target: The environment.

    Returns:
        Cluster and service.

    Raises:
        EnvironmentFault: The environment has none.
    """
    from botocore.exceptions import ClientError

    stack = target.stack_name("Gateway")
    try:
        resources = target.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    except ClientError:
        resources = []
    found = {resource["ResourceType"]: resource.get("PhysicalResourceId") for resource in resources}
    if "AWS::ECS::Service" not in found:
        raise EnvironmentFault(f"{target.environment.name} has no gateway (stack {stack}).")
    return found["AWS::ECS::Cluster"], found["AWS::ECS::Service"]
