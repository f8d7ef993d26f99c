"""Where traces go: to CloudWatch, when AgentCore says so, and to the service that the blueprint names.

The conventions are those of the AWS Distro for OpenTelemetry ("AgentCore observability"), read from the variables that
AgentCore and people set. The distro itself is not used: it doubles the time of a cold start, and draws ids from a
random state that platform V2 would restore in every session. Importing this module loads no OpenTelemetry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_runtime.blueprint_blocks import Observability, Otlp

_TRACES = "/v1/traces"
_XRAY = re.compile(r"https://xray\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/")


@dataclass(frozen=True, slots=True)
class TraceDestination:
    """One receiver of traces by OTLP over HTTP.

    Attributes:
        url: Where they are posted.
        headers: Headers of each post that are no secret.
        headers_env: Header to the variable whose secret is its value.
        region: Region to sign for with the execution role, where the receiver is X-Ray.
        content: Whether it may have prompts and answers.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_env: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    content: bool = False


def destinations_of(observability: Observability, variables: Mapping[str, str]) -> tuple[TraceDestination, ...]:
    """Finds where an agent's traces go.

    Args:
        observability: What the blueprint says.
        variables: The process's environment.

    Returns:
        The receivers; none where nothing is to be traced.
    """
    if not observability.enabled or _is_true(variables, "OTEL_SDK_DISABLED"):
        return ()
    found = [_of_variables(variables), _of_blueprint(observability.otlp)]
    return tuple(destination for destination in found if destination)


def _of_variables(variables: Mapping[str, str]) -> TraceDestination | None:
    if variables.get("OTEL_TRACES_EXPORTER") == "none" or _is_true(variables, "DISABLE_ADOT_OBSERVABILITY"):
        return None
    url = variables.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    base, region = variables.get("OTEL_EXPORTER_OTLP_ENDPOINT"), variables.get("AWS_REGION")
    if not url and base:
        url = base.rstrip("/") + _TRACES
    if not url and region and _is_true(variables, "AGENT_OBSERVABILITY_ENABLED"):
        # "OTLP endpoints", Amazon CloudWatch user guide.
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        url = f"https://xray.{region}.{suffix}{_TRACES}"
    if not url:
        return None
    xray = _XRAY.match(url)
    return TraceDestination(url, region=xray[1] if xray else None)


def _of_blueprint(otlp: Otlp | None) -> TraceDestination | None:
    if otlp is None:
        return None
    url = otlp.endpoint.rstrip("/") + _TRACES
    return TraceDestination(url, headers=otlp.headers, headers_env=otlp.headers_env, content=otlp.content)


def _is_true(variables: Mapping[str, str], name: str) -> bool:
    return variables.get(name, "").lower() == "true"
