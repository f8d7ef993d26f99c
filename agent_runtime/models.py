"""From a blueprint's `model` to the Strands model that answers, one builder for each way to reach a provider.

What can be built without a secret or a connection is built when the process starts, so that it is in the snapshot from
which platform V2 restores every session; the rest waits for the first request.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from agent_runtime.openai_client import OpenAICompatibleClient

if TYPE_CHECKING:
    from strands.models import Model

    from agent_runtime.blueprint import Blueprint
    from agent_runtime.secret_store import SecretStore
    from agent_runtime.settings import RuntimeSettings


class ModelSource(Protocol):
    """Gives the model for a request."""

    async def current(self) -> Model:
        """Gives the model, with secrets as fresh as the cache promises.

        Raises:
            SecretError: A secret that the model needs cannot be read.
        """
        ...


class OpenAICompatibleModel:
    """Models behind a `base_url`: the gateway or somebody else's proxy, by Strands' OpenAI client.

    Importing LiteLLM for it would cost three seconds at each cold start and change nothing on the wire.
    """

    def __init__(self, blueprint: Blueprint, settings: RuntimeSettings, secrets: SecretStore) -> None:
        from strands.models.openai import OpenAIModel

        model = blueprint.model
        gateway_url, gateway_key = (
            (settings.gateway_url, settings.gateway_key) if blueprint.uses_gateway else (None, None)
        )
        self._model = OpenAIModel(
            client=OpenAICompatibleClient(
                base_url=f"{gateway_url}/v1" if gateway_url else str(model.base_url),
                api_key_env=model.api_key_env or gateway_key,
                extra_headers_env=model.extra_headers_env,
                secrets=secrets,
            ),
            model_id=model.model_id,
            params={"temperature": model.temperature, "max_tokens": model.max_tokens},
        )

    async def current(self) -> Model:
        """Gives the one model; its client reads the secrets at each call."""
        return self._model


class LiteLLMProviderModel:
    """Models whose provider LiteLLM resolves by the model's name."""

    def __init__(self, blueprint: Blueprint, secrets: SecretStore) -> None:
        # LiteLLM reads these at import: without them it loads `.env` files and fetches a price list from the internet.
        os.environ["LITELLM_MODE"] = "PRODUCTION"
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        from strands.models.litellm import LiteLLMModel

        self._build = LiteLLMModel
        self._model_settings = blueprint.model
        self._secrets = secrets
        self._model: Model | None = None
        self._version: str | None = None

    async def current(self) -> Model:
        """Gives the model, built anew when its key's version changed."""
        settings = self._model_settings
        key = await self._secrets.get(settings.api_key_env) if settings.api_key_env else None
        version = key.version_id if key else ""
        if self._model is None or version != self._version:
            self._model = self._build(
                client_args={"api_key": key.text} if key else {},
                model_id=settings.model_id,
                params={"temperature": settings.temperature, "max_tokens": settings.max_tokens},
            )
            self._version = version
        return self._model


class BedrockProviderModel:
    """Amazon Bedrock's models, called with the execution role."""

    def __init__(self, blueprint: Blueprint) -> None:
        from strands.models.bedrock import BedrockModel

        self._build = BedrockModel
        self._model_settings = blueprint.model
        self._model: Model | None = None

    async def current(self) -> Model:
        """Gives the model; its client, which holds credentials, is made by the first request."""
        if self._model is None:
            settings = self._model_settings
            self._model = self._build(
                model_id=settings.model_id, temperature=settings.temperature, max_tokens=settings.max_tokens
            )
        return self._model


def build_model_source(blueprint: Blueprint, settings: RuntimeSettings, secrets: SecretStore) -> ModelSource:
    """Chooses the way to the blueprint's model.

    Args:
        blueprint: The agent.
        settings: Where the gateway is.
        secrets: Where keys and headers come from.

    Returns:
        The source of the model.
    """
    if blueprint.model.provider == "bedrock":
        return BedrockProviderModel(blueprint)
    if blueprint.model.base_url:
        return OpenAICompatibleModel(blueprint, settings, secrets)
    return LiteLLMProviderModel(blueprint, secrets)
