"""What the authors of blueprints should know of one environment, though nothing is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.notices import find_notices
from gateway.routes import find_parameter_notices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent_runtime.errors import Problem
    from agent_runtime.loader import LoadedBlueprint
    from gateway.settings import GatewaySettings
    from stacks.environments import Environment


def find_notices_there(
    agents: Sequence[LoadedBlueprint], environment: Environment, gateway: GatewaySettings | None
) -> list[Problem]:
    """Find everything that authors should know of one environment.

    Args:
        agents: The agents as they are in the environment.
        environment: The environment.
        gateway: What the gateway serves, if there is one.

    Returns:
        The notices, at the blueprints' own lines.
    """
    parameters = find_parameter_notices(agents, gateway) if gateway else []
    return [*find_notices(agents), *find_idle_budgets(agents, environment), *parameters]


def find_idle_budgets(agents: Iterable[LoadedBlueprint], environment: Environment) -> list[Problem]:
    """Find budgets that nobody counts in an environment.

    They are right nevertheless: the same blueprint is promoted to where they are counted.

    Args:
        agents: The agents as they are in the environment.
        environment: The environment.

    Returns:
        A notice for each, at the blueprint's own line.
    """
    if environment.gateway.is_managed:
        return []
    return [
        agent.document.problem(
            ("budget",),
            f"in {environment.name} budget limits nothing: without a database the gateway has one key for all agents",
            "keep it for the environments where it counts, or write profile: managed under gateway in "
            "environments.yaml",
        )
        for agent in agents
        if agent.blueprint.budget
    ]
