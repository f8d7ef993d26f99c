"""From a blueprint's `model` to the Strands model that answers, one builder for each way to reach a provider.

What can be built without a secret or a connection is built when the process starts, so that it is in the snapshot from
which platform V2 restores every session; the rest waits for the first request.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, Protocol

from agent_runtime.errors import EnvironmentFault

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

        from agent_runtime.openai_client import OpenAICompatibleClient

        model = blueprint.model
        base_url, own_key = str(model.base_url), None
        if blueprint.uses_gateway:
            base_url, own_key = _gateway_address(settings), settings.gateway_key
        self._model = OpenAIModel(
            client=OpenAICompatibleClient(
                base_url=base_url,
                api_key_env=model.api_key_env or own_key,
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
        import litellm
        from strands.models.litellm import LiteLLMModel

        # Else it prints an invitation to report a bug, past all logging, whenever a provider refuses.
        litellm.suppress_debug_info = True
        self._build = LiteLLMModel
        self._model_settings = blueprint.model
        self._secrets = secrets
        self._model: Model | None = None
        self._versions: tuple[str, ...] = ()

    async def current(self) -> Model:
        """Gives the model, built anew when a secret's version changed."""
        settings = self._model_settings
        key, headers = settings.api_key_env, settings.extra_headers_env
        values = await self._secrets.get_all([*([key] if key else []), *headers.values()])
        versions = tuple(value.version_id for value in values.values())
        if self._model is None or versions != self._versions:
            arguments: dict[str, Any] = {"api_key": values[key].text} if key else {}
            if headers:
                arguments["extra_headers"] = {header: values[variable].text for header, variable in headers.items()}
            self._model = self._build(
                client_args=arguments,
                model_id=settings.model_id,
                params={"temperature": settings.temperature, "max_tokens": settings.max_tokens},
            )
            self._versions = versions
        return self._model


class BedrockProviderModel:
    """Amazon Bedrock's models, called with the execution role."""

    def __init__(self, blueprint: Blueprint) -> None:
        from strands.models.bedrock import BedrockModel

        self._build = BedrockModel
        self._model_settings = blueprint.model
        self._model: Model | None = None
        self._lock = threading.Lock()

    async def current(self) -> Model:
        """Gives the model; its client, which holds credentials, is made by the first request."""
        # Making a client reads files and may ask the metadata service: not on the loop.
        if self._model is None:
            return await asyncio.to_thread(self._built)
        return self._model

    def _built(self) -> Model:
        settings = self._model_settings
        with self._lock:
            model = self._model or self._build(
                model_id=settings.model_id, temperature=settings.temperature, max_tokens=settings.max_tokens
            )
            self._model = model
        return model


def build_model_source(blueprint: Blueprint, settings: RuntimeSettings, secrets: SecretStore) -> ModelSource:
    """Chooses the way to the blueprint's model.

    Args:
        blueprint: The agent.
        settings: Where the gateway is.
        secrets: Where keys and headers come from.

    Returns:
        The source of the model.

    Raises:
        EnvironmentFault: The agent uses the gateway, and the deployment did not say where it is.
    """
    if blueprint.model.provider == "bedrock":
        return BedrockProviderModel(blueprint)
    if blueprint.model.base_url:
        return OpenAICompatibleModel(blueprint, settings, secrets)
    return LiteLLMProviderModel(blueprint, secrets)


def _gateway_address(settings: RuntimeSettings) -> str:
    if settings.gateway_url is None:
        raise EnvironmentFault(
            "The agent's model is reached through the gateway, and STRANDLINE_GATEWAY_URL is not set: "
            "deploy the agent together with the environment's gateway."
        )
    return f"{settings.gateway_url.rstrip('/')}/v1"
