"""An OpenAI-compatible client whose key and headers are read from the secrets at each call.

Strands is given this object in place of `openai.AsyncOpenAI`. The model is so built once, when the process starts, and
holds neither a secret nor a connection until a request comes. The real client is kept for as long as the secrets'
versions stay the same.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import openai

from agent_runtime.endpoint_errors import cleaned_errors
from agent_runtime.failures import BrokenAnswerError
from agent_runtime.model_answers import ModelAnswers, model_answers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from agent_runtime.secret_store import SecretStore, SecretValue

REQUEST_TIMEOUT_SECONDS = 600.0
CONNECT_TIMEOUT_SECONDS = 10.0


class OpenAICompatibleClient:
    """The part of `openai.AsyncOpenAI` that Strands' `OpenAIModel` calls.

    Args:
        base_url: The endpoint, with its path.
        api_key_env: Variable whose secret is the key; without it no `Authorization` header is sent.
        extra_headers_env: Header name to the variable whose secret is its value.
        secrets: Where the values come from.
        timeout: Seconds that the endpoint has to begin its answer, retries included, and to go on with it.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key_env: str | None,
        extra_headers_env: Mapping[str, str],
        secrets: SecretStore,
        timeout: float = REQUEST_TIMEOUT_SECONDS,
    ) -> None:
        self._base_url = base_url
        self._api_key_env = api_key_env
        self._extra_headers_env = dict(extra_headers_env)
        self._secrets = secrets
        self._timeout = timeout
        self._connection: _Connection | None = None

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
        told = model_answers.get() or ModelAnswers()
        if self._api_key_env is None:
            # Said with each request: the client refuses to be made without a key.
            request["extra_headers"] = {"Authorization": openai.Omit()}
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self._leased())
            key_name = self._secrets.name_of(self._api_key_env) if self._api_key_env else None
            stack.enter_context(cleaned_errors(connection.secrets, key_name))
            async with asyncio.timeout(self._timeout):
                answer = await connection.client.chat.completions.with_raw_response.create(**request)
            told.headers = {name: value for name, value in answer.headers.items() if name.startswith("x-litellm-")}
            completion: Any = answer.parse()
            if request.get("stream"):
                return _watched(completion, told, stack.pop_all())
            told.note_model(getattr(completion, "model", None))
            told.add_cost(getattr(completion, "usage", None))
            return completion

    async def close(self) -> None:
        """Closes the connections, for a host that outlives the agent; the next call opens new ones."""
        replaced, self._connection = self._connection, None
        if replaced:
            await replaced.retire()

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[_Connection]:
        variables = [*([self._api_key_env] if self._api_key_env else []), *self._extra_headers_env.values()]
        values = await self._secrets.get_all(variables)
        versions = tuple(value.version_id for value in values.values())
        if self._connection is None or versions != self._connection.versions:
            replaced, self._connection = self._connection, _Connection(self._new_client(values), versions, values)
            if replaced:
                await replaced.retire()
        async with self._connection.lease() as connection:
            yield connection

    def _new_client(self, values: Mapping[str, SecretValue]) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=self._base_url,
            api_key=values[self._api_key_env].text if self._api_key_env else "unused",
            default_headers={header: values[variable].text for header, variable in self._extra_headers_env.items()},
            # A redirect to another host would take the extra headers along.
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                timeout=openai.Timeout(self._timeout, connect=min(CONNECT_TIMEOUT_SECONDS, self._timeout)),
            ),
        )


class _Connection:
    """The real client for one set of secret versions; closed once it is replaced and its last request has ended."""

    def __init__(
        self, client: openai.AsyncOpenAI, versions: tuple[str, ...], values: Mapping[str, SecretValue]
    ) -> None:
        self.client = client
        self.versions = versions
        self.secrets = tuple(value.text for value in values.values())
        self._requests = 0
        self._replaced = False

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[_Connection]:
        self._requests += 1
        try:
            yield self
        finally:
            self._requests -= 1
            await self._close_if_done()

    async def retire(self) -> None:
        self._replaced = True
        await self._close_if_done()

    async def _close_if_done(self) -> None:
        if self._replaced and not self._requests:
            await self.client.close()


async def _watched(chunks: Any, told: ModelAnswers, leases: AsyncExitStack) -> AsyncIterator[Any]:
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
    told.add_cost(usage)
