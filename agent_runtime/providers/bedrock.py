"""Amazon Bedrock's models, called with the execution role."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError
from strands.models.bedrock import DEFAULT_READ_TIMEOUT, BedrockModel

from agent_runtime.errors import EnvironmentFault
from agent_runtime.failures import ModelTimeoutError, UnreachableError
from agent_runtime.model_answers import ModelAnswers, model_answers
from agent_runtime.providers.wire import thinking_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from strands.types.streaming import StreamEvent

    from agent_runtime.blueprint import Blueprint

_CONNECT_TIMEOUT_SECONDS = 10
# Words in the ids of Anthropic's models, and of profiles that do not tell whose model they lead to.
_MAY_THINK = ("anthropic", "claude", "application-inference-profile", "provisioned-model", "imported-model", "prompt")
_ARN_PARTS = 6


class BedrockSource:
    """The model of Amazon Bedrock."""

    def __init__(self, blueprint: Blueprint, variables: Mapping[str, str] | None = None) -> None:
        self._configuration = _configuration(blueprint, os.environ if variables is None else variables)
        self._connection = _connection(blueprint)
        self._model: BedrockModel | None = None
        self._lock = threading.Lock()

    async def current(self) -> BedrockModel:
        """Gives the model; its client, which holds credentials, is made by the first request."""
        # Making a client reads files and may ask the metadata service: not on the loop.
        if self._model is None:
            return await asyncio.to_thread(self._built)
        return self._model

    def _built(self) -> BedrockModel:
        with self._lock, warnings.catch_warnings():
            # Strands would rather cache the conversation along with the tools; the blueprint says which of the two.
            warnings.filterwarnings("ignore", "cache_tools is deprecated", DeprecationWarning)
            model = self._model or _CleanBedrockModel(**self._connection, **self._configuration)
            self._model = model
        return model


class _CleanBedrockModel(BedrockModel):
    """`BedrockModel` whose lost connections are told as those of the other providers."""

    def __init__(self, **configuration: Any) -> None:
        super().__init__(**configuration)
        self.client.meta.events.register("before-send.bedrock-runtime.*", _note_attempt)

    async def stream(self, *arguments: Any, **more: Any) -> AsyncGenerator[StreamEvent, None]:
        """Streams the model's answer."""
        told = model_answers.get() or ModelAnswers()
        told.begin()
        try:
            async with aclosing(super().stream(*arguments, **more)) as events:
                async for event in events:
                    told.note_model(_routed_to(event))
                    yield event
        except BotoCoreError as error:
            if "Timeout" in type(error).__name__:
                raise ModelTimeoutError("Amazon Bedrock did not answer in time.") from None
            if "Connection" in type(error).__name__:
                raise UnreachableError("Amazon Bedrock cannot be reached.") from None
            raise


def _note_attempt(**_: Any) -> None:
    """Hears each request that botocore sends, its retries too; what it returns would be taken for the response."""
    told = model_answers.get()
    if told:
        told.note_attempt()


def _routed_to(event: Any) -> str | None:
    """The model that a prompt router chose; of other models Bedrock does not repeat the name."""
    trace = event.get("metadata", {}).get("trace") or {}
    return (trace.get("promptRouter") or {}).get("invokedModelId")


def _configuration(blueprint: Blueprint, variables: Mapping[str, str]) -> dict[str, Any]:
    model = blueprint.model
    fields: dict[str, Any] = model.model_dump(include={"params"})["params"]
    thinking = thinking_of(blueprint)
    if thinking:
        if not any(word in model.model_id.lower() for word in _MAY_THINK):
            raise EnvironmentFault(
                f"Model {model.model_id} does not take `thinking`, which is Anthropic's on Bedrock: remove it, and "
                "write the model's own words for it in model.params."
            )
        fields["thinking"] = thinking
    configuration = {
        "model_id": model.model_id,
        "temperature": model.temperature,
        "max_tokens": model.max_tokens,
        "streaming": model.stream,
        **_guardrail(blueprint, variables),
    }
    if fields:
        configuration["additional_request_fields"] = fields
    if model.cache_tools == "default":
        configuration["cache_tools"] = "default"
    return configuration


def _guardrail(blueprint: Blueprint, variables: Mapping[str, str]) -> dict[str, Any]:
    protection = blueprint.observability.data_protection
    if protection.provider != "bedrock":
        return {}
    names = {"guardrail_id": protection.guardrail_id_env, "guardrail_version": protection.guardrail_version_env}
    missing = [str(name) for name in names.values() if not variables.get(name or "")]
    if missing:
        raise EnvironmentFault(
            f"The guardrail cannot be used, because {' and '.join(missing)} is not set: set it in the environment's "
            "variables or in runtime.environment, and deploy again."
        )
    if not (protection.on_input and protection.on_output):
        raise EnvironmentFault(
            "A Bedrock guardrail sees input and output, whatever observability.data_protection.on_input and on_output "
            "say: remove them, and choose in the guardrail itself what is filtered."
        )
    return {key: variables[str(name)] for key, name in names.items()}


def _connection(blueprint: Blueprint) -> dict[str, Any]:
    model = blueprint.model
    connection: dict[str, Any] = {}
    parts = model.model_id.split(":")
    if parts[0] == "arn" and len(parts) >= _ARN_PARTS and parts[3]:
        # A model or profile of another Region is known there only.
        connection["region_name"] = parts[3]
    timeout, retries = model.timeout_seconds, model.num_retries
    if timeout is not None or retries is not None:
        config: dict[str, Any] = {
            "read_timeout": DEFAULT_READ_TIMEOUT if timeout is None else timeout,
            "connect_timeout": min(_CONNECT_TIMEOUT_SECONDS, timeout or _CONNECT_TIMEOUT_SECONDS),
        }
        if retries is not None:
            config["retries"] = {"mode": "standard", "total_max_attempts": retries + 1}
        connection["boto_client_config"] = Config(**config)
    return connection
