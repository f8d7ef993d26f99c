"""Which agents ask the simulator in place of the endpoint that their blueprint names, and what follows from that.

In execution mode simulation no provider is called. An agent of `base_url: gateway` meets the simulator behind it; any
other agent is pointed there by its runtime's variables, so that code artefact and bundle stay those of production.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.providers.wire import model_behind_proxy
from stacks.names import ENVIRONMENT_KEY, agent_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_runtime.blueprint import Blueprint, NetworkMode
    from agent_runtime.loader import LoadedBlueprint
    from stacks.environments import Environment


def is_simulated(blueprint: Blueprint, environment: Environment) -> bool:
    """Tells whether an agent asks the gateway though its blueprint names another endpoint, or none.

    Args:
        blueprint: The agent.
        environment: Where it runs.

    Returns:
        Whether it does; not for an agent of `base_url: gateway`, which asks the gateway everywhere.
    """
    simulates = environment.execution_mode == "simulation" and environment.gateway.simulate_endpoints
    return simulates and not blueprint.uses_gateway


def asks_gateway(blueprint: Blueprint, environment: Environment) -> bool:
    """Tells whether an agent's model is reached through the environment's gateway."""
    return blueprint.uses_gateway or is_simulated(blueprint, environment)


def gateway_key_in(blueprint: Blueprint, environment: Environment) -> str | None:
    """Gives the variable of the key that the gateway has for an agent, unless its blueprint names one of its own."""
    if not asks_gateway(blueprint, environment):
        return None
    if blueprint.uses_gateway and blueprint.model.api_key_env:
        return None
    return agent_key(blueprint.id) if environment.gateway.is_managed else ENVIRONMENT_KEY


def network_mode_in(blueprint: Blueprint, environment: Environment) -> NetworkMode:
    """Gives an agent's network mode in an environment: whoever asks the gateway stands in its VPC."""
    return "PRIVATE" if is_simulated(blueprint, environment) else blueprint.network_mode


def secret_names_in(blueprint: Blueprint, environment: Environment) -> tuple[str, ...]:
    """Gives the variables whose secrets an agent reads in an environment.

    Args:
        blueprint: The agent.
        environment: Where it runs.

    Returns:
        The variables, sorted; without those that are for an endpoint that is simulated.
    """
    return blueprint.other_secret_names if is_simulated(blueprint, environment) else blueprint.secret_names


def simulated_models(agents: Iterable[LoadedBlueprint], environment: Environment) -> tuple[str, ...]:
    """Gives the models that agents ask for elsewhere and that the simulator has to answer.

    Args:
        agents: The agents of the environment, each as it is there.
        environment: The environment.

    Returns:
        The models by the names that the handler sends, sorted.
    """
    blueprints = (agent.blueprint for agent in agents)
    names = {model_behind_proxy(one.model.model_id) for one in blueprints if is_simulated(one, environment)}
    return tuple(sorted(names))
