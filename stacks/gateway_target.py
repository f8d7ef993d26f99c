"""What of an environment changes the gateway: its keys, and what `gateway.yaml` becomes. Imports no CDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.proxy.keys import MASTER_KEY
from gateway.target import GatewayTarget
from stacks.names import ENVIRONMENT_KEY
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


def own_keys(environment: Environment) -> dict[str, bool]:
    """The gateway's own keys that rotate.

    Args:
        environment: The environment.

    Returns:
        By variable, whether tasks take the key that follows it as well. The master key of a gateway without a database
        has none: nobody calls with it but an operator, and a secret is paid for each month.
    """
    is_managed = environment.gateway.is_managed
    return {MASTER_KEY: is_managed} | ({} if is_managed else {ENVIRONMENT_KEY: True})
