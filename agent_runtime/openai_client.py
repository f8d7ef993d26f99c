"""An OpenAI-compatible client whose key and headers are read from the secrets at each call.

Strands is given this object in place of `openai.AsyncOpenAI`. The model is so built once, when the process starts, and
holds neither a secret nor a connection until a request comes. The real client is kept for as long as the secrets'
versions stay the same.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openai

from agent_runtime.endpoint_errors import cleaned_errors
from agent_runtime.failures import BrokenAnswerError, KeyRefusedError
from agent_runtime.model_answers import ModelAnswers, model_answers, note_request
from agent_runtime.providers.leases import CredentialReader, Credentials, LeasedClients
from agent_runtime.trace_context import outgoing_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from agent_runtime.providers.leases import Lease
    from agent_runtime.secret_store import SecretStore

REQUEST_TIMEOUT_SECONDS = 600.0
CONNECT_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the endpoint, as `with_raw_response` of `openai` gives it.

    Attributes:
        headers: HTTP headers of the response.
        completion: The completion, or the stream of its chunks.
    """

    headers: Mapping[str, str]
    completion: Any

    def parse(self) -> Any:
        """OpenAI's name for getting at the completion."""
        return self.completion


class OpenAICompatibleClient:
    """The part of `openai.AsyncOpenAI` that Strands' `OpenAIModel` and LiteLLM call.

    Args:
        base_url: The endpoint, with its path.
        api_key_env: Variable whose secret is the key; without it no `Authorization` header is sent.
        extra_headers_env: Header name to the variable whose secret is its value; one without a value is not sent.
        secrets: Where the values come from.
        timeout: Seconds that the endpoint has to begin its answer, retries included, and to go on with it.
        max_retries: Times that a failed call is made again; the library's when None.
        is_own: Whether the endpoint is one's own gateway, which may have the caller's baggage; no stranger may.
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
        is_own: bool = False,
    ) -> None:
        self.base_url = base_url
        self.api_key_env = api_key_env
        self.timeout = REQUEST_TIMEOUT_SECONDS if timeout is None else timeout
        self._max_retries = openai.DEFAULT_MAX_RETRIES if max_retries is None else max_retries
        self._is_own = is_own
        reader = CredentialReader(secrets, api_key_env, extra_headers_env)
        self.clients = LeasedClients(reader, self._new_client, openai.AsyncOpenAI.close)

    @property
    def chat(self) -> OpenAICompatibleClient:
        """OpenAI's name for the group of calls."""
        return self

    @property
    def completions(self) -> OpenAICompatibleClient:
        """OpenAI's name for the calls."""
        return self

    async def create(self, **request: Any) -> Any:
        """Asks for a chat completion.

        Args:
            **request: The members of OpenAI's "Create chat completion", as Strands formats them.

        Returns:
            The completion, or the stream of its chunks.

        Raises:
            SecretError: A secret cannot be read.
            InvocationError: The endpoint refuses the key, or its answer is none.
            openai.APIError: The endpoint refuses otherwise or cannot be reached.
        """
        return (await self.answer(**request)).completion

    async def answer(self, **request: Any) -> Answer:
        """Asks for a chat completion, once more if the key was replaced meanwhile; as for `create`."""
        if not request.get("stream"):
            # OpenAI's default; some endpoints know streams only and take the word for a mistake.
            request.pop("stream", None)
        headers: dict[str, Any] = {**(request.pop("extra_headers", None) or {})}
        headers |= outgoing_headers(with_baggage=self._is_own)
        if self.api_key_env is None:
            # Said with each request: the client refuses to be made without a key.
            headers["Authorization"] = openai.Omit()
        if headers:
            request["extra_headers"] = headers
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

    async def _ask(self, request: dict[str, Any]) -> Answer:
        told = model_answers.get() or ModelAnswers()
        async with AsyncExitStack() as stack:
            lease: Lease[openai.AsyncOpenAI] = await stack.enter_async_context(self.clients.lease())
            stack.enter_context(cleaned_errors(lease.credentials.values, self.clients.reader.key_name))
            async with asyncio.timeout(self.timeout):
                answer = await lease.client.chat.completions.with_raw_response.create(**request)
            told.begin(answer.headers)
            completion: Any = answer.parse()
            if request.get("stream"):
                return Answer(answer.headers, _watched(completion, request, told, stack.pop_all()))
            if isinstance(completion, str):
                raise BrokenAnswerError("The model's endpoint sent what is no chat completion.")
            told.note_model(getattr(completion, "model", None))
            told.end(getattr(completion, "usage", None), asked=request)
            return Answer(answer.headers, completion)

    def _new_client(self, credentials: Credentials) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=self.base_url,
            api_key=credentials.key or "unused",
            default_headers=dict(credentials.headers),
            max_retries=self._max_retries,
            # A redirect to another host would take the extra headers along.
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                timeout=openai.Timeout(self.timeout, connect=min(CONNECT_TIMEOUT_SECONDS, self.timeout)),
                event_hooks={"request": [note_request]},
            ),
        )


async def _watched(
    chunks: Any, request: Mapping[str, Any], told: ModelAnswers, leases: AsyncExitStack
) -> AsyncIterator[Any]:
    usage: object = None
    finished = False
    async with leases, chunks:
        async for chunk in chunks:
            told.note_model(getattr(chunk, "model", None))
            # Some endpoints tell the usage so far in every chunk.
            usage = getattr(chunk, "usage", None) or usage
            finished = finished or any(choice.finish_reason for choice in getattr(chunk, "choices", None) or ())
            yield chunk
        if not finished:
            # Without this a stream that ends too early, or is none, would pass for a short answer.
            raise BrokenAnswerError("The model's endpoint broke its answer off.")
    told.end(usage, asked=request)
