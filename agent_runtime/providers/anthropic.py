"""Anthropic's own API."""

from __future__ import annotations

import copy
import warnings
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault
from agent_runtime.model_answers import model_answers, note_request
from agent_runtime.providers.leases import CredentialReader, Credentials, Lease, LeasedClients
from agent_runtime.providers.packages import packages_of
from agent_runtime.providers.refusals import cleaned_refusals
from agent_runtime.providers.source import ReadyModel
from agent_runtime.providers.wire import thinking_of, without_thinking_if_forced

with packages_of("anthropic", packages=("anthropic",), extra="anthropic", dependency_set="anthropic"):
    import anthropic
    from strands.models.anthropic import AnthropicModel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from strands.types.streaming import StreamEvent

    from agent_runtime.blueprint import Blueprint, Model
    from agent_runtime.secret_store import SecretStore

_CONNECT_TIMEOUT_SECONDS = 10.0


class AnthropicSource(ReadyModel):
    """A model of Anthropic's."""

    def __init__(self, blueprint: Blueprint, secrets: SecretStore) -> None:
        if not blueprint.model.stream:
            raise EnvironmentFault(
                "Provider anthropic always streams from the model: remove model.stream: false. Callers of the agent "
                "still choose whether its answer is streamed."
            )
        reader = CredentialReader(secrets, blueprint.model.api_key_env, blueprint.model.extra_headers_env)
        with warnings.catch_warnings():
            # Strands would rather cache the conversation along with the tools; the blueprint says which of the two.
            warnings.filterwarnings("ignore", "cache_tools is deprecated", DeprecationWarning)
            model = _LeasedAnthropicModel(client_args={"api_key": "read-at-each-call"}, **_configuration(blueprint))
        model.clients = LeasedClients(reader, _maker(blueprint.model), anthropic.AsyncAnthropic.close)
        super().__init__(model)


class _LeasedAnthropicModel(AnthropicModel):
    """`AnthropicModel` whose client is that of the current secrets."""

    clients: LeasedClients[anthropic.AsyncAnthropic]

    async def stream(self, *arguments: Any, **more: Any) -> AsyncGenerator[StreamEvent, None]:
        """Streams the model's answer."""

        async def run(lease: Lease[anthropic.AsyncAnthropic]) -> AsyncGenerator[StreamEvent, None]:
            call = copy.copy(self)
            call.client = lease.client
            with cleaned_refusals(lease.credentials, self.clients.reader.key_name):
                async for event in AnthropicModel.stream(call, *arguments, **more):
                    yield event

        async with aclosing(self.clients.stream(run)) as events:
            async for event in events:
                yield event

    def format_request(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Formats the request; one that forces a tool goes without thinking."""
        return without_thinking_if_forced(super().format_request(*arguments, **more))

    def format_chunk(self, event: dict[str, Any]) -> StreamEvent:
        """Formats an event; the first one names the model that answers."""
        told = model_answers.get()
        if told and event["type"] == "message_start":
            told.begin()
            told.note_model(event["message"].get("model"))
        return super().format_chunk(event)


def _configuration(blueprint: Blueprint) -> dict[str, Any]:
    model = blueprint.model
    thinking = thinking_of(blueprint)
    params = {
        # As part of the body: the library takes only the parameters that it knows as its own.
        "extra_body": {"temperature": model.temperature, **model.model_dump(include={"params"})["params"]},
        **({"thinking": thinking} if thinking else {}),
    }
    configuration = {"model_id": model.model_id, "max_tokens": model.max_tokens, "params": params}
    return configuration | ({"cache_tools": "default"} if model.cache_tools == "default" else {})


def _maker(model: Model) -> Any:
    def make(credentials: Credentials) -> anthropic.AsyncAnthropic:
        timeout = anthropic.DEFAULT_TIMEOUT.read if model.timeout_seconds is None else float(model.timeout_seconds)
        headers: dict[str, Any] = dict(credentials.headers)
        if credentials.key is None:
            headers["X-Api-Key"] = anthropic.Omit()
        return anthropic.AsyncAnthropic(
            api_key=credentials.key or "unused",
            base_url=model.base_url,
            default_headers=headers,
            max_retries=anthropic.DEFAULT_MAX_RETRIES if model.num_retries is None else model.num_retries,
            # A redirect to another host would take the extra headers along.
            http_client=anthropic.DefaultAsyncHttpxClient(
                follow_redirects=False,
                timeout=anthropic.Timeout(timeout, connect=min(_CONNECT_TIMEOUT_SECONDS, timeout or 1.0)),
                event_hooks={"request": [note_request]},
            ),
        )

    return make
