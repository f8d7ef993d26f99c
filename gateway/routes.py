"""Whether the gateway serves what agents ask it for; checked at synth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_runtime.errors import Problem
    from agent_runtime.loader import LoadedBlueprint
    from gateway.settings import GatewaySettings


def find_unserved(agents: Iterable[LoadedBlueprint], settings: GatewaySettings) -> tuple[Problem, ...]:
    """Find the agents whose model the gateway does not serve.

    Args:
        agents: The agents; those that do not use the gateway are passed over.
        settings: What the gateway serves.

    Returns:
        A problem for each such agent, at its `model.model_id`.
    """
    return tuple(
        _unserved(agent, settings)
        for agent in agents
        if agent.blueprint.uses_gateway and agent.blueprint.model.model_id not in settings.models
    )


def _unserved(agent: LoadedBlueprint, settings: GatewaySettings) -> Problem:
    model_id = agent.blueprint.model.model_id
    return agent.document.problem(
        ("model", "model_id"),
        f"the gateway serves no model '{model_id}'",
        f"{did_you_mean(model_id, settings.models)}; or add it to gateway.yaml",
    )
