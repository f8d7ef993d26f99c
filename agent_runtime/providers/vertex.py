"""Gemini on Google's Vertex AI.

The secret of `api_key_env` holds the JSON of a service account, in one line, or an API key of Vertex AI's express mode.
Project and location come from GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION; the account's own project and `global`
stand in for them.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault
from agent_runtime.model_answers import ModelAnswers, model_answers
from agent_runtime.providers.leases import CredentialReader, Credentials, Lease, LeasedClients
from agent_runtime.providers.packages import packages_of
from agent_runtime.providers.refusals import cleaned_refusals
from agent_runtime.providers.source import ReadyModel
from agent_runtime.secret_reader import SecretError

with packages_of("vertex", packages=("google",), extra="gemini", dependency_set="vertex"):
    from google import genai
    from google.oauth2 import service_account
    from strands.models.gemini import GeminiModel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from strands.types.streaming import StreamEvent

    from agent_runtime.blueprint import Blueprint, Model
    from agent_runtime.secret_store import SecretStore

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_DEFAULT_LOCATION = "global"
# Members of the library's configuration that are no parameters of a model.
_OURS = ("http_options", "system_instruction", "tools", "tool_config", "automatic_function_calling")


class VertexSource(ReadyModel):
    """A Gemini model."""

    def __init__(self, blueprint: Blueprint, secrets: SecretStore) -> None:
        if not blueprint.model.stream:
            raise EnvironmentFault(
                "Provider vertex always streams from the model: remove model.stream: false. Callers of the agent "
                "still choose whether its answer is streamed."
            )
        reader = CredentialReader(secrets, blueprint.model.api_key_env, {})
        model = _LeasedGeminiModel(model_id=blueprint.model.model_id, params=_parameters(blueprint))
        model.clients = LeasedClients(reader, _maker(blueprint.model, reader.key_name), _close)
        super().__init__(model)


class _LeasedGeminiModel(GeminiModel):
    """`GeminiModel` whose client is that of the current secrets."""

    clients: LeasedClients[genai.Client]

    async def stream(self, *arguments: Any, **more: Any) -> AsyncGenerator[StreamEvent, None]:
        """Streams the model's answer."""

        async def run(lease: Lease[genai.Client]) -> AsyncGenerator[StreamEvent, None]:
            call = copy.copy(self)
            call._custom_client = _Listening(lease.client)  # type: ignore[assignment]
            with cleaned_refusals(lease.credentials, self.clients.reader.key_name):
                async for event in GeminiModel.stream(call, *arguments, **more):
                    yield event

        async with aclosing(self.clients.stream(run)) as events:
            async for event in events:
                yield event


class _Listening:
    """The part of Google's client that Strands calls; hears which model answers."""

    def __init__(self, client: genai.Client) -> None:
        self._client = client
        self.vertexai = client.vertexai

    @property
    def aio(self) -> _Listening:
        """Google's name for the asynchronous client."""
        return self

    @property
    def models(self) -> _Listening:
        """Google's name for the group of calls."""
        return self

    async def generate_content_stream(self, **request: Any) -> AsyncIterator[Any]:
        """Asks for a streamed answer.

        Google's client asks at the first chunk only, when Strands has already said that the answer begins: here a
        refusal comes before that.
        """
        chunks = await self._client.aio.models.generate_content_stream(**request)
        return _heard(await anext(chunks, None), chunks)


async def _heard(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    told = model_answers.get() or ModelAnswers()
    told.begin()
    if first is not None:
        told.note_model(first.model_version)
        yield first
    async for chunk in rest:
        told.note_model(chunk.model_version)
        yield chunk


def _parameters(blueprint: Blueprint) -> dict[str, Any]:
    model = blueprint.model
    written: dict[str, Any] = model.model_dump(include={"params"})["params"]
    thinking = blueprint.thinking
    if thinking is not None:
        # Gemini thinks by itself where nothing is said; a budget of 0 is its word for no thinking.
        budget = thinking.budget_tokens if thinking.enabled else 0
        written["thinking_config"] = {"thinking_budget": budget, "include_thoughts": thinking.enabled}
    parameters = {"temperature": model.temperature, "max_output_tokens": model.max_tokens, **written}
    known = set(genai.types.GenerateContentConfig.model_fields) - set(_OURS)
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise EnvironmentFault(
            f"model.params: provider vertex knows no {', '.join(unknown)}; it takes the members of Google's "
            "GenerateContentConfig, such as top_p, top_k, stop_sequences and seed."
        )
    return parameters


def _maker(model: Model, secret: str | None) -> Any:
    options: dict[str, Any] = {}
    if model.timeout_seconds is not None:
        options["timeout"] = model.timeout_seconds * 1000
    if model.num_retries is not None:
        options["retry_options"] = genai.types.HttpRetryOptions(attempts=model.num_retries + 1)

    def make(credentials: Credentials) -> genai.Client:
        key = credentials.key or ""
        identity = _service_account(key, secret) if key.startswith("{") else {"api_key": key}
        return genai.Client(vertexai=True, http_options=genai.types.HttpOptions(**options), **identity)

    return make


def _service_account(text: str, secret: str | None) -> dict[str, Any]:
    try:
        account = json.loads(text)
        credentials = service_account.Credentials.from_service_account_info(account, scopes=[_SCOPE])  # type: ignore[no-untyped-call]
    except ValueError:
        raise SecretError(f"Secret {secret} holds no JSON of a service account: set it to one, in one line.") from None
    return {
        "credentials": credentials,
        "project": os.environ.get("GOOGLE_CLOUD_PROJECT") or account.get("project_id"),
        "location": os.environ.get("GOOGLE_CLOUD_LOCATION") or _DEFAULT_LOCATION,
    }


async def _close(client: genai.Client) -> None:
    await client.aio.aclose()
    await asyncio.to_thread(client.close)
