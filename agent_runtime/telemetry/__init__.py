"""What can be seen of the running agent: metrics, log lines and traces.

metrics.py          CloudWatch's embedded metric format, one line for each invocation
logs.py             log lines in JSON
observer.py         what is recorded of one invocation
destinations.py     where traces go
tracing.py          the traces; imported only for the agents whose traces go somewhere
otlp_exporter.py    how they are sent
span_filter.py      what of them may leave
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from agent_runtime.telemetry.destinations import destinations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_runtime.bundle import BundledAgent
    from agent_runtime.secret_store import SecretStore
    from agent_runtime.telemetry.tracing import Tracing

__all__ = ["build_tracing"]


def build_tracing(
    agent: BundledAgent, environment: str, variables: Mapping[str, str], secrets: SecretStore
) -> Tracing | None:
    """Builds an agent's traces; reads no secret and starts nothing.

    Args:
        agent: The agent.
        environment: Name of the environment.
        variables: The process's environment.
        secrets: Where the keys of receivers come from.

    Returns:
        The traces; none where they go nowhere, and then nothing is imported either.

    Raises:
        EnvironmentFault: The packages for it are not installed.
    """
    destinations = destinations_of(agent.blueprint.observability, variables)
    if not destinations:
        return None
    try:
        from agent_runtime.telemetry.tracing import Tracing
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"Traces need the package {error.name}, which is not installed: add the dependency set otel "
            "(agent_runtime/requirements/otel.lock) to the artefact and deploy again, or set observability.enabled: "
            "false."
        ) from None
    return Tracing(agent, environment, destinations, secrets)
