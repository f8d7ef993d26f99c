"""What the LiteLLM proxy serves: `blueprints/gateway.yaml`, typed and strict.

models:
  gpt-5-mini:
    model: openai/gpt-5-mini
    api_key_env: OPENAI_API_KEY

The file is the same in all environments; what differs among these is a `GatewayTarget`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from agent_runtime.strict import Rules, StrictModel
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import read_yaml
from gateway.deployments import Budget, Deployment, DeploymentFields, ProviderModel
from gateway.integrations import Callbacks, Guardrail
from gateway.names import PublicName, PublicNames
from gateway.policies import Cache, Cooldown, Retries, Routing
from gateway.settings_rules import SETTINGS_RULES, model_faults

if TYPE_CHECKING:
    from agent_runtime.yaml_nodes import Document

__all__ = ["GatewayModel", "GatewaySettings", "load_gateway", "read_gateway"]

_OWN_FIELDS = frozenset(DeploymentFields.model_fields)


class GatewayModel(DeploymentFields):
    """One model that agents may ask for: one deployment written flat, or several in `deployments`."""

    RULES: ClassVar[Rules] = (model_faults,)

    model: ProviderModel | None = Field(
        default=None,
        examples=["openai/gpt-5-mini"],
        description="Provider and model as LiteLLM names them; this or deployments.",
    )
    deployments: Annotated[tuple[Deployment, ...], Field(strict=False, max_length=50)] = Field(
        default=(),
        examples=["[{model: openai/gpt-5-mini, api_key_env: OPENAI_API_KEY}, {model: azure/gpt-5-mini, ...}]"],
        description="Several places that serve the model; routing chooses among them.",
    )
    tier: int | None = Field(
        default=None,
        ge=1,
        le=9,
        examples=[2],
        description="How strong the model is, 9 the strongest. When a weaker one answers in its place the response "
        "says so (x-strandline-tier-fallback).",
    )
    fallbacks: PublicNames = Field(
        default=(), examples=["[gpt-5-nano]"], description="Models that are asked, in this order, when this one fails."
    )
    context_window_fallbacks: PublicNames = Field(
        default=(), examples=["[gemini-pro]"], description="The same, when the prompt is too long for this one."
    )
    content_policy_fallbacks: PublicNames = Field(
        default=(), examples=["[claude]"], description="The same, when the provider refuses the content."
    )
    unsupported_parameters: Literal["refuse", "drop"] = Field(
        default="refuse",
        examples=["drop"],
        description="What becomes of a parameter that the provider does not take: refuse answers with an error, drop "
        "leaves it out and says so (x-strandline-dropped-params).",
    )

    @cached_property
    def all_deployments(self) -> tuple[Deployment, ...]:
        """The deployments, also where the one is written flat."""
        if self.model is None:
            return self.deployments
        written = self.model_dump(include=set(_OWN_FIELDS & self.model_fields_set))
        return (Deployment.model_validate({"model": self.model, **written}),)


class GatewaySettings(StrictModel):
    """The whole of `gateway.yaml`."""

    RULES: ClassVar[Rules] = SETTINGS_RULES

    models: Annotated[Mapping[PublicName, GatewayModel], Field(max_length=200)] = Field(
        min_length=1,
        examples=["{demo: {model: openai/gpt-5-mini, api_key_env: OPENAI_API_KEY}}"],
        description="Models by the name that agents call them.",
    )
    aliases: Annotated[Mapping[PublicName, PublicName], Field(max_length=200)] = Field(
        default_factory=dict,
        examples=["{code: claude-sonnet, writing: gpt-5, simple: gpt-5-nano, reasoning: o3}"],
        description="Further names for models, by the task: agents ask for the task, and the model changes here.",
    )
    routing: Routing = Field(
        default=Routing(),
        examples=["{strategy: least-busy}"],
        description="How a deployment is chosen, and what follows when it fails.",
    )
    retries: Retries = Field(
        default=Retries(), examples=["{count: 1}"], description="How often a failed call is made again."
    )
    cooldown: Cooldown = Field(
        default=Cooldown(), examples=["{seconds: 30}"], description="When a deployment that fails is left alone."
    )
    cache: Cache = Field(
        default=Cache(), examples=["{type: redis}"], description="Whether an answer is kept for the next who asks it."
    )
    guardrails: Annotated[tuple[Guardrail, ...], Field(strict=False, max_length=20)] = Field(
        default=(),
        examples=["[{name: policy, bedrock: {guardrail_id: a1b2c3d4e5f6, version: '1'}}]"],
        description="What requests and answers are held to.",
    )
    callbacks: Callbacks = Field(
        default=Callbacks(), examples=["{langfuse: {}}"], description="Services that are told of each call."
    )
    budget: Budget | None = Field(
        default=None,
        examples=["{max_usd: 1000, per: month}"],
        description="What the whole gateway may spend; counted where it has a database (profile managed).",
    )

    @cached_property
    def secret_names(self) -> tuple[str, ...]:
        """The distinct variables that people set the secrets of, sorted; without the gateway's own keys."""
        names = {one.api_key_env for model in self.models.values() for one in model.all_deployments}
        return tuple(sorted({name for name in names if name} | self.callbacks.secret_names))

    def resolve(self, name: str) -> str:
        """Return the model that a name means: an alias's, or the name itself."""
        return self.aliases.get(name, name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name that agents may ask for, sorted."""
        return tuple(sorted({*self.models, *self.aliases}))

    def may_answer(self, name: str) -> tuple[str, ...]:
        """Return the models that may answer for a name: its own, and every fallback of theirs, in no order."""
        found: set[str] = set()
        waiting = [self.resolve(name), *self.routing.default_fallbacks]
        while waiting:
            model = self.resolve(waiting.pop())
            if model in found or model not in self.models:
                continue
            found.add(model)
            served = self.models[model]
            waiting += (*served.fallbacks, *served.context_window_fallbacks, *served.content_policy_fallbacks)
        return tuple(sorted(found))


def load_gateway(path: Path) -> GatewaySettings:
    """Read `gateway.yaml`.

    Args:
        path: The file.

    Returns:
        The settings.

    Raises:
        InputError: The file cannot be read or breaks the schema; carries every problem.
    """
    return read_gateway(path)[0]


def read_gateway(path: Path) -> tuple[GatewaySettings, Document]:
    """Read `gateway.yaml`, and keep the document, to point at a place in it.

    Args:
        path: The file.

    Returns:
        The settings and the document.

    Raises:
        InputError: As for `load_gateway`.
    """
    document = read_yaml(path)
    return validate(GatewaySettings, document), document
