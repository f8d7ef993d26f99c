"""What of an environment changes the configuration that `gateway.yaml` becomes. Imports no CDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.target import GatewayTarget
from stacks.simulation import simulated_models

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_runtime.loader import LoadedBlueprint
    from stacks.environments import Environment


def gateway_target(environment: Environment, agents: Iterable[LoadedBlueprint]) -> GatewayTarget:
    """Tells the compiler where the proxy runs.

    Args:
        environment: The environment.
        agents: Its agents, each as it is there.

    Returns:
        The target.
    """
    hosting = environment.gateway
    return GatewayTarget(
        profile=hosting.profile,
        execution_mode=environment.execution_mode,
        redis=hosting.redis is not None,
        tasks=hosting.max_tasks,
        simulated_models=simulated_models(agents, environment),
    )
