"""The connection to an OpenAI-compatible endpoint; key and headers are read from the secrets at each call.

It is built once, when the process starts, and holds neither a secret nor a connection until a request comes. It speaks
"Create chat completion" over `httpx` itself: importing the `openai` package for this one call takes half of the
handler's start, a quarter of its memory and of its artefact.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from agent_runtime.endpoint_errors import cleaned_errors, raise_for_error_event, raise_for_refusal
from agent_runtime.failures import BrokenAnswerError, KeyRefusedError, ModelTimeoutError, UnreachableError
from agent_runtime.model_answers import ModelAnswers, model_answers, note_request
from agent_runtime.providers.chat_chunks import is_completion
from agent_runtime.providers.leases import CredentialReader, Credentials, LeasedClients
from agent_runtime.retries import DEFAULT_RETRIES, delay_before_retry
from agent_runtime.server_sent_events import data_of
from agent_runtime.trace_context import outgoing_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from agent_runtime.failures import InvocationError
    from agent_runtime.providers.leases import Lease
    from agent_runtime.secret_store import SecretStore

REQUEST_TIMEOUT_SECONDS = 600.0
CONNECT_TIMEOUT_SECONDS = 10.0
MAXIMUM_ANSWER_BYTES = 32 * 1024 * 1024
"""What an endpoint may send for one answer: a hundred times the longest that a model writes."""

AGENT_HEADER = "x-strandline-agent"
"""Tells one's own gateway which agent calls, by which its simulator finds the agent's scenario; it opens nothing."""

_PATH = "/chat/completions"
_END = b"[DONE]"
# The end of the body comes with its last event or just after; a caller does not wait for one that keeps the body open.
_END_OF_BODY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the endpoint.

    Attributes:
        headers: HTTP headers of the response.
        completion: OpenAI's "chat completion object", or an async iterator of its chunks.
    """

    headers: Mapping[str, str]
    completion: Any


class OpenAICompatibleClient:
    """Asks an endpoint for chat completions.

    Args:
        base_url: The endpoint, with its path.
        api_key_env: Variable whose secret is the key; without it no `Authorization` header is sent.
        extra_headers_env: Header name to the variable whose secret is its value; one without a value is not sent.
        secrets: Where the values come from.
        timeout: Seconds that the endpoint has to begin its answer, retries included, and to go on with it.
        max_retries: Times that a failed call is made again.
        gateway_agent: The agent's id where the endpoint is one's own gateway, which is told who calls and may have the
            caller's baggage; no stranger may.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key_env: str | None,
        extra_headers_env: Mapping[str, str],
        secrets: SecretStore,
        timeout: float | None = None,
        max_retries: int | None = None,
        gateway_agent: str | None = None,
    ) -> None:
        self.base_url = base_url
        self._url = base_url.rstrip("/") + _PATH
        self.timeout = REQUEST_TIMEOUT_SECONDS if timeout is None else timeout
        self._max_retries = DEFAULT_RETRIES if max_retries is None else max_retries
        self._gateway_agent = gateway_agent
        reader = CredentialReader(secrets, api_key_env, extra_headers_env)
        self.clients = LeasedClients(reader, self._new_client, httpx.AsyncClient.aclose)

    async def answer(self, request: Mapping[str, Any]) -> Answer:
        """Asks for a chat completion, once more if the key was replaced meanwhile.

        Args:
            request: The body, as OpenAI's "Create chat completion" has it.

        Returns:
            The answer. A stream must be read to its end, or closed.

        Raises:
            SecretError: A secret cannot be read.
            InvocationError: The endpoint refuses, cannot be reached, or its answer is none.
            ModelThrottledException: It limits the rate.
            ContextWindowOverflowException: The conversation is too long for the model.
        """
        async with self.clients.lease() as refused:
            try:
                return await self._ask(request)
            except KeyRefusedError:
                if not await self.clients.renewed(refused):
                    raise
        return await self._ask(request)

    async def close(self) -> None:
        """Closes the connections, for a host that outlives the agent; the next call opens new ones."""
        await self.clients.close()

    async def _ask(self, request: Mapping[str, Any]) -> Answer:
        told = model_answers.get() or ModelAnswers()
        async with AsyncExitStack() as stack:
            lease: Lease[httpx.AsyncClient] = await stack.enter_async_context(self.clients.lease())
            stack.enter_context(cleaned_errors())
            async with asyncio.timeout(self.timeout) as bound:
                response = await self._accepted(lease, request, bound.when() or math.inf)
                stack.push_async_callback(response.aclose)
                told.begin(response.headers)
                if request.get("stream"):
                    return Answer(response.headers, _chunks(response, request, told, stack.pop_all()))
                completion = json.loads(b"".join([piece async for piece in _bounded(response)]))
            if not is_completion(completion) or not completion.get("choices"):
                raise BrokenAnswerError("The model's endpoint sent what is no chat completion.")
            told.note_model(completion.get("model"))
            told.end(completion.get("usage"), asked=request)
            return Answer(response.headers, completion)

    async def _accepted(
        self, lease: Lease[httpx.AsyncClient], request: Mapping[str, Any], deadline: float
    ) -> httpx.Response:
        """Sends the request until it is accepted, was sent often enough, or could be sent again too late only."""
        # `stream: false` is the default; some endpoints know streams only and take the word for a mistake.
        body = {name: value for name, value in request.items() if name != "stream" or value}
        trace = outgoing_headers(with_baggage=self._gateway_agent is not None)
        for retries_made in itertools.count():
            is_last = retries_made >= self._max_retries
            response = None
            try:
                message = lease.client.build_request("POST", self._url, json=body, headers=trace)
                response = await lease.client.send(message, stream=True)
            except httpx.TransportError as error:
                if is_last:
                    raise _unanswered(error) from None
            if response is not None and response.is_success:
                return response
            delay = delay_before_retry(retries_made, response)
            if response is not None:
                async with aclosing(response):
                    if delay is None or is_last or asyncio.get_running_loop().time() + delay >= deadline:
                        await _refuse(response, lease.credentials, self.clients.reader.key_name)
            await asyncio.sleep(delay or 0)
        raise AssertionError

    def _new_client(self, credentials: Credentials) -> httpx.AsyncClient:
        headers = {"Accept": "application/json", **credentials.headers}
        if self._gateway_agent:
            headers[AGENT_HEADER] = self._gateway_agent
        if credentials.key:
            headers = {"Authorization": f"Bearer {credentials.key}", **headers}
        return httpx.AsyncClient(
            headers=headers,
            # A redirect to another host would take the extra headers along.
            follow_redirects=False,
            timeout=httpx.Timeout(self.timeout, connect=min(CONNECT_TIMEOUT_SECONDS, self.timeout)),
            event_hooks={"request": [note_request]},
            limits=httpx.Limits(max_connections=1000, max_keepalive_connections=100),
        )


def _unanswered(error: httpx.TransportError) -> InvocationError:
    if isinstance(error, httpx.TimeoutException):
        return ModelTimeoutError("The model's endpoint did not answer in time.")
    return UnreachableError("The model's endpoint cannot be reached.")


async def _refuse(response: httpx.Response, credentials: Credentials, key_name: str | None) -> None:
    said = b"".join([piece async for piece in _bounded(response)])
    raise_for_refusal(response.status_code, said, credentials.values, key_name)


async def _bounded(response: httpx.Response) -> AsyncIterator[bytes]:
    received = 0
    async for piece in response.aiter_bytes():
        received += len(piece)
        if received > MAXIMUM_ANSWER_BYTES:
            raise BrokenAnswerError(
                f"The model's endpoint sent more than {MAXIMUM_ANSWER_BYTES // 1024 // 1024} MiB for one answer."
            )
        yield piece


async def _read_to_the_end(events: AsyncIterator[bytes]) -> None:
    """Reads what follows the last event, which is the end of the body: a response left earlier costs its connection."""
    with contextlib.suppress(TimeoutError, httpx.TransportError):
        async with asyncio.timeout(_END_OF_BODY_SECONDS):
            async for _ in events:
                pass


async def _chunks(
    response: httpx.Response, request: Mapping[str, Any], told: ModelAnswers, leases: AsyncExitStack
) -> AsyncIterator[dict[str, Any]]:
    usage: object = None
    finished = False
    async with leases:
        events = data_of(_bounded(response))
        async for data in events:
            if data.startswith(_END):
                await _read_to_the_end(events)
                break
            chunk = json.loads(data)
            raise_for_error_event(chunk)
            if not is_completion(chunk):
                raise BrokenAnswerError("The model's endpoint sent what is no chat completion.")
            told.note_model(chunk.get("model"))
            # Some endpoints tell the usage so far in every chunk.
            usage = chunk.get("usage") or usage
            finished = finished or any(choice.get("finish_reason") for choice in chunk.get("choices") or ())
            yield chunk
        if not finished:
            # Without this a stream that ends too early, or is none, would pass for a short answer.
            raise BrokenAnswerError("The model's endpoint broke its answer off.")
    told.end(usage, asked=request)
