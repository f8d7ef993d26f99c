"""Whether the gateway serves what agents ask it for; checked at synth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.suggestions import did_you_mean
from gateway.facts import refused_parameters
from gateway.pricing import uncounted_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent_runtime.blueprint import Blueprint
    from agent_runtime.errors import Problem
    from agent_runtime.loader import LoadedBlueprint
    from gateway.settings import GatewaySettings


def find_unserved(agents: Iterable[LoadedBlueprint], settings: GatewaySettings) -> tuple[Problem, ...]:
    """Find the agents that ask for a model which the gateway does not serve.

    Args:
        agents: The agents; of those that do not use the gateway only who judges their answers is asked of it.
        settings: What the gateway serves.

    Returns:
        A problem for each such name, of `model.model_id`, `budget.models` and `gate.judge_model`.
    """
    found: list[Problem] = []
    for agent in agents:
        if agent.blueprint.uses_gateway:
            found += _unserved(agent, settings)
        if judge := agent.blueprint.gate.judge_model:
            found += _unknown(agent, [(("gate", "judge_model"), judge)], settings)
    return tuple(found)


def find_uncounted(agents: Iterable[LoadedBlueprint], settings: GatewaySettings) -> tuple[Problem, ...]:
    """Find the agents with a budget against which the cost of a model would not count.

    Args:
        agents: The agents; those that do not use the gateway are passed over.
        settings: What the gateway serves.

    Returns:
        A problem for each deployment without a price, those of fallbacks included.
    """
    return tuple(problem for agent in agents if agent.blueprint.uses_gateway for problem in _uncounted(agent, settings))


def find_parameter_notices(agents: Iterable[LoadedBlueprint], settings: GatewaySettings) -> list[Problem]:
    """Find parameters that a model behind the gateway does not take, though the blueprint sets them.

    Args:
        agents: The agents.
        settings: What the gateway serves.

    Returns:
        A notice for each parameter, which says what becomes of it.
    """
    return [
        agent.document.problem(place, *_told(name, model, settings))
        for agent in agents
        if agent.blueprint.uses_gateway and settings.resolve(agent.blueprint.model.model_id) in settings.models
        for place, name in _parameters(agent.blueprint)
        for model in settings.may_answer(agent.blueprint.model.model_id)
        if any(name in refused_parameters(one.model) for one in settings.models[model].all_deployments)
    ]


def _unserved(agent: LoadedBlueprint, settings: GatewaySettings) -> Iterator[Problem]:
    blueprint = agent.blueprint
    further = blueprint.budget.models if blueprint.budget else ()
    asked: list[tuple[tuple[str | int, ...], str]] = [(("model", "model_id"), blueprint.model.model_id)]
    asked += [(("budget", "models", position), name) for position, name in enumerate(further)]
    yield from _unknown(agent, asked, settings)


def _unknown(
    agent: LoadedBlueprint, asked: Iterable[tuple[tuple[str | int, ...], str]], settings: GatewaySettings
) -> Iterator[Problem]:
    for place, name in asked:
        if name not in settings.names:
            hint = f"{did_you_mean(name, settings.names)}; or add it to gateway.yaml"
            yield agent.document.problem(place, f"the gateway serves no model '{name}'", hint)


def _uncounted(agent: LoadedBlueprint, settings: GatewaySettings) -> Iterator[Problem]:
    budget = agent.blueprint.budget
    if budget is None or budget.max_usd is None:
        return
    reasons = {
        reason: model
        for name in (agent.blueprint.model.model_id, *budget.models)
        for model, reason in uncounted_models(settings, name)
    }
    for reason, model in sorted(reasons.items()):
        hint = f"add price: {{input_usd: ..., output_usd: ...}} to {model} in gateway.yaml, or remove max_usd"
        yield agent.document.problem(("budget", "max_usd"), f"the gateway's model '{model}': {reason}", hint)


def _parameters(blueprint: Blueprint) -> Iterator[tuple[tuple[str, ...], str]]:
    yield ("model", "temperature"), "temperature"
    yield ("model", "max_tokens"), "max_tokens"
    if blueprint.thinking:
        yield ("thinking",), "thinking"
    if blueprint.tools or blueprint.gateway:
        yield ("tools",), "tools"
    if blueprint.model.cache_prompt not in ("none", "default"):
        yield ("model", "cache_prompt"), "prompt_cache_key"
    for name in blueprint.model.params:
        yield ("model", "params", name), name


def _told(name: str, model: str, settings: GatewaySettings) -> tuple[str, str]:
    served = settings.models[model]
    provider = next(one.model for one in served.all_deployments if name in refused_parameters(one.model))
    if served.unsupported_parameters == "drop":
        return (
            f"{name} has no effect: {provider} does not take it, and the gateway's model '{model}' drops it",
            "remove it, or name another model",
        )
    return (
        f"{name} will be refused: {provider}, behind the gateway's model '{model}', does not take it",
        f"remove it, name another model, or write unsupported_parameters: drop for {model} in gateway.yaml",
    )
