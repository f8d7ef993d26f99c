"""An OpenAI-compatible client whose key and headers are read from the secrets at each call.

Strands is given this object in place of `openai.AsyncOpenAI`. The model is so built once, when the process starts, and
holds neither a secret nor a connection until a request comes. The real client is kept for as long as the secrets'
versions stay the same.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import openai

    from agent_runtime.secret_store import SecretStore, SecretValue

REQUEST_TIMEOUT_SECONDS = 600.0
CONNECT_TIMEOUT_SECONDS = 10.0


@dataclass(slots=True)
class ModelAnswers:
    """What the endpoint told about the answers of one invocation.

    Attributes:
        model: Model that gave the last answer, as the endpoint names it.
        headers: LiteLLM's `x-litellm-*` response headers of the last answer.
        cost_usd: Cost of all answers in US dollars; `None` while no answer told one.
    """

    model: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cost_usd: float | None = None

    def add_cost(self, value: object) -> None:
        """Adds one answer's cost, if the endpoint told one."""
        try:
            cost = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return
        self.cost_usd = (self.cost_usd or 0.0) + cost


model_answers: ContextVar[ModelAnswers | None] = ContextVar("model_answers", default=None)


class OpenAICompatibleClient:
    """The part of `openai.AsyncOpenAI` that Strands' `OpenAIModel` calls.

    Args:
        base_url: The endpoint, with its path.
        api_key_env: Variable whose secret is the key; without it no `Authorization` header is sent.
        extra_headers_env: Header name to the variable whose secret is its value.
        secrets: Where the values come from.
    """

    def __init__(
        self, *, base_url: str, api_key_env: str | None, extra_headers_env: Mapping[str, str], secrets: SecretStore
    ) -> None:
        self._base_url = base_url
        self._api_key_env = api_key_env
        self._extra_headers_env = dict(extra_headers_env)
        self._secrets = secrets
        self._client: openai.AsyncOpenAI | None = None
        self._versions: tuple[str, ...] = ()

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
            openai.OpenAIError: The endpoint refuses or cannot be reached.
        """
        client = await self._current_client()
        answer = await client.chat.completions.with_raw_response.create(**request)
        told = model_answers.get()
        if told is not None:
            told.headers = {name: value for name, value in answer.headers.items() if name.startswith("x-litellm-")}
        completion: Any = answer.parse()
        if request.get("stream"):
            return _watched(completion, told)
        _note(completion, told)
        return completion

    async def _current_client(self) -> openai.AsyncOpenAI:
        variables = [*([self._api_key_env] if self._api_key_env else []), *self._extra_headers_env.values()]
        values = dict(zip(variables, await asyncio.gather(*map(self._secrets.get, variables)), strict=True))
        versions = tuple(value.version_id for value in values.values())
        if self._client is None or versions != self._versions:
            # The old client is left to its requests in flight; its pool closes when the last one lets go of it.
            self._client, self._versions = self._new_client(values), versions
        return self._client

    def _new_client(self, values: Mapping[str, SecretValue]) -> openai.AsyncOpenAI:
        import openai

        headers: dict[str, Any] = {
            header: values[variable].text for header, variable in self._extra_headers_env.items()
        }
        if self._api_key_env is None:
            headers["Authorization"] = openai.Omit()
        return openai.AsyncOpenAI(
            base_url=self._base_url,
            api_key=values[self._api_key_env].text if self._api_key_env else "unused",
            default_headers=headers,
            # A redirect to another host would take the extra headers along.
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                timeout=openai.Timeout(REQUEST_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
            ),
        )


async def _watched(chunks: Any, told: ModelAnswers | None) -> AsyncIterator[Any]:
    async for chunk in chunks:
        _note(chunk, told)
        yield chunk


def _note(part: Any, told: ModelAnswers | None) -> None:
    if told is None:
        return
    # LiteLLM's body repeats the alias that was asked for; its header names the deployment that answered.
    told.model = told.headers.get("x-litellm-model-name") or getattr(part, "model", None) or told.model
    usage = getattr(part, "usage", None)
    if usage is not None:
        told.add_cost(getattr(usage, "cost", None) or told.headers.get("x-litellm-response-cost"))
