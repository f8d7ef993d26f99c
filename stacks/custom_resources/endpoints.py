"""The endpoints of a runtime: which version is behind one, and moving it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_POLL_SECONDS = 0.2
_LONGEST_SECONDS = 120.0


class EndpointNotMoved(Exception):
    """Raised with why an endpoint is not where it was sent."""


def version_behind(control: Any, runtime_arn: str, endpoint: str) -> str | None:
    """Gives the version behind an endpoint.

    Args:
        control: A client of `bedrock-agentcore-control`.
        runtime_arn: ARN of the runtime.
        endpoint: Name of the endpoint.

    Returns:
        Number of the version; nothing where there is no such endpoint.
    """
    try:
        found = control.get_agent_runtime_endpoint(agentRuntimeId=runtime_arn.rpartition("/")[2], endpointName=endpoint)
    except control.exceptions.ResourceNotFoundException:
        return None
    return str(found["liveVersion"])


def move_endpoint(
    control: Any, runtime_arn: str, endpoint: str, version: str, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Moves an endpoint by one update, and waits until AgentCore says that it is there.

    Args:
        control: A client of `bedrock-agentcore-control`.
        runtime_arn: ARN of the runtime.
        endpoint: Name of the endpoint.
        version: Number of the version.
        sleep: Waits between two looks.

    Raises:
        EndpointNotMoved: AgentCore refuses, or does not come to an end.
    """
    from botocore.exceptions import ClientError

    place = {"agentRuntimeId": runtime_arn.rpartition("/")[2], "endpointName": endpoint}
    try:
        control.update_agent_runtime_endpoint(**place, agentRuntimeVersion=version)
    except ClientError as error:
        raise EndpointNotMoved(f"AgentCore does not move {endpoint} ({error.response['Error'].get('Code')}).") from None
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        found = control.get_agent_runtime_endpoint(**place)
        if found["status"].endswith("_FAILED"):
            raise EndpointNotMoved(
                f"AgentCore did not move {endpoint}: {found.get('failureReason') or found['status']}"
            )
        if found["status"] == "READY" and str(found["liveVersion"]) == version:
            return
        sleep(_POLL_SECONDS)
    raise EndpointNotMoved(f"{endpoint} is not at version {version} after {_LONGEST_SECONDS:.0f} s: look at it again.")
