"""The rules of `gateway.yaml` that hold over several fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent_runtime.strict import Fault, Rules
from agent_runtime.suggestions import did_you_mean
from gateway.deployments import DeploymentFields, deployment_faults
from gateway.pricing import price_faults

if TYPE_CHECKING:
    from gateway.settings import GatewayModel, GatewaySettings

_FALLBACK_FIELDS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


def model_faults(model: GatewayModel) -> Iterator[Fault]:
    """Hold a model to one way of writing, and what is written flat to its provider."""
    flat = sorted(model.model_fields_set & set(DeploymentFields.model_fields))
    if model.model is None and not model.deployments:
        yield Fault("names no model", "add model: openai/gpt-5-mini, or deployments: [{model: ...}, ...]")
    elif model.model is not None and model.deployments:
        yield Fault("is written flat and as a list", "move model into deployments, or remove these", ("model",))
    elif model.deployments and flat:
        yield Fault(f"{flat[0]} belongs to a deployment", "move it into the deployments that it holds for", (flat[0],))
    elif model.model is not None:
        yield from deployment_faults(model, model.model)


def _name_faults(settings: GatewaySettings) -> Iterator[Fault]:
    for alias, name in settings.aliases.items():
        if alias in settings.models:
            yield Fault(f"'{alias}' is a model already", "choose another name", ("aliases", alias))
        elif name not in settings.models:
            hint = did_you_mean(name, settings.models)
            yield Fault(f"the gateway serves no model '{name}'", hint, ("aliases", alias))


def _fallback_faults(settings: GatewaySettings) -> Iterator[Fault]:
    for name, model in settings.models.items():
        for field in _FALLBACK_FIELDS:
            for position, target in enumerate(getattr(model, field)):
                yield from _target_faults(settings, target, ("models", name, field, position), name)
    for position, target in enumerate(settings.routing.default_fallbacks):
        yield from _target_faults(settings, target, ("routing", "default_fallbacks", position))
    if settings.cache.embedding_model is not None:
        yield from _target_faults(settings, settings.cache.embedding_model, ("cache", "embedding_model"))


def _target_faults(
    settings: GatewaySettings, target: str, at: tuple[str | int, ...], origin: str | None = None
) -> Iterator[Fault]:
    if target == origin:
        yield Fault("a model cannot stand in for itself", "name another model", at)
    elif target not in settings.models:
        # LiteLLM looks a fallback up among the models only: an alias would be no fallback at all.
        yield Fault(f"the gateway has no model '{target}'", did_you_mean(target, settings.models), at)


def _guardrail_names(settings: GatewaySettings) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, guardrail in enumerate(settings.guardrails):
        if guardrail.name in seen:
            yield Fault(f"'{guardrail.name}' stands twice", "give each its own name", ("guardrails", position, "name"))
        seen.add(guardrail.name)


SETTINGS_RULES: Rules = (_name_faults, _fallback_faults, _guardrail_names, price_faults)
