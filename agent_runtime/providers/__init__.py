"""From a blueprint's `model` to the Strands model that answers, one module for each provider.

What can be built without a secret or a connection is built when the process starts, so that it is in the snapshot from
which platform V2 restores every session; the rest waits for the first request. Only the chosen provider's packages are
imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.providers.packages import refuse_unsafe_litellm
from agent_runtime.providers.system_prompt import system_prompt_of

if TYPE_CHECKING:
    from agent_runtime.blueprint import Blueprint
    from agent_runtime.providers.source import ModelSource
    from agent_runtime.secret_store import SecretStore
    from agent_runtime.settings import RuntimeSettings

__all__ = ["build_model_source", "system_prompt_of"]


def build_model_source(blueprint: Blueprint, settings: RuntimeSettings, secrets: SecretStore) -> ModelSource:
    """Chooses the way to the blueprint's model.

    Args:
        blueprint: The agent.
        settings: Where the gateway is, and whether it simulates the model.
        secrets: Where keys and headers come from.

    Returns:
        The source of the model.

    Raises:
        EnvironmentFault: A package is missing or must not run, the provider cannot do what the blueprint says, or the
            deployment did not say where the gateway is.
    """
    refuse_unsafe_litellm()
    provider = blueprint.model.provider
    if settings.simulated or provider == "openai" or (provider == "litellm" and blueprint.model.base_url):
        from agent_runtime.providers.endpoint import EndpointModel

        return EndpointModel(blueprint, settings, secrets)
    if provider == "bedrock":
        from agent_runtime.providers.bedrock import BedrockSource

        return BedrockSource(blueprint)
    if provider == "anthropic":
        from agent_runtime.providers.anthropic import AnthropicSource

        return AnthropicSource(blueprint, secrets)
    if provider == "vertex":
        from agent_runtime.providers.vertex import VertexSource

        return VertexSource(blueprint, secrets)
    from agent_runtime.providers.named import NamedModel

    return NamedModel(blueprint, secrets)
