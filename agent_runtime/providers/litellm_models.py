"""Strands' LiteLLM model: behind an address, and with the provider that LiteLLM finds by the model's name.

Importing this module imports LiteLLM.
"""

from __future__ import annotations

import copy
import os
import sys
from contextlib import aclosing, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

# LiteLLM reads these at import: without them it loads `.env` files and fetches a price list from the internet.
os.environ["LITELLM_MODE"] = "PRODUCTION"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import openai
from litellm.exceptions import UnsupportedParamsError
from litellm.integrations.custom_logger import CustomLogger
from litellm.utils import get_optional_params
from openai._models import construct_type
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from strands.models.litellm import LiteLLMModel
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from agent_runtime.errors import EnvironmentFault, StrandlineError
from agent_runtime.model_answers import ModelAnswers, model_answers
from agent_runtime.providers.chat_messages import with_cached_tools
from agent_runtime.providers.refusals import cleaned_refusals
from agent_runtime.providers.wire import without_thinking_if_forced

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from strands.types.event_loop import Usage
    from strands.types.streaming import StreamEvent

    from agent_runtime.openai_client import Answer, OpenAICompatibleClient
    from agent_runtime.providers.leases import Credentials, Lease, LeasedClients

# Else it prints an invitation to report a bug, past all logging, whenever a provider refuses.
litellm.suppress_debug_info = True
# Else an answer in which a word comes a hundred times in a row, such as the rule of a wide table, is thrown away.
litellm.REPEATED_STREAMING_CHUNK_LIMIT = sys.maxsize  # type: ignore[attr-defined]


_BY_OPENAI_CLIENT = ("openai", "azure", "litellm_proxy")
_NEUTRAL_NAME = "model-at-an-address"
# Arguments of the `openai` package that are no members of the body.
_OF_THE_CALL = ("timeout", "extra_headers", "extra_query")


class _HouseLiteLLMModel(LiteLLMModel):
    """`LiteLLMModel` that marks the tools for the provider's cache where the blueprint says so."""

    caches_tools = False

    def format_request(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Formats the request, the tools marked; one that forces a tool goes without thinking."""
        request = without_thinking_if_forced(super().format_request(*arguments, **more))
        return with_cached_tools(request) if self.caches_tools else request


class _EndpointModel(_HouseLiteLLMModel):
    def format_request(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Formats the request without the model's id, which the connection fills in.

        By the name LiteLLM would strip `openai/`, turn the system prompt of an `o3` into a user's message, refuse
        parameters: all of it about OpenAI's own models, none about what the address calls by that name.
        """
        request = super().format_request(*arguments, **more)
        if request["tools"]:
            # LiteLLM takes patterns that Python cannot compile out of the schemas; the extra body it leaves alone.
            request["extra_body"] = request["extra_body"] | {"tools": request["tools"]}
        return request | {"model": _NEUTRAL_NAME}

    async def stream(self, *arguments: Any, **more: Any) -> AsyncGenerator[StreamEvent, None]:
        """Streams the model's answer; raises what `LightModel` raises."""
        told = model_answers.get()
        with _as_the_light_client():
            async with aclosing(super().stream(*arguments, **more)) as events:
                async for event in events:
                    # LiteLLM counts words where the endpoint tells no usage.
                    if told is None or told.told_usage or "metadata" not in event:
                        yield event


class _NamedModel(_HouseLiteLLMModel):
    """The model of any provider that LiteLLM knows; key and headers are read at each call."""

    credentials: LeasedClients[Credentials]
    dropped: tuple[str, ...] = ()

    async def stream(self, *arguments: Any, **more: Any) -> AsyncGenerator[StreamEvent, None]:
        """Streams the model's answer."""

        async def run(lease: Lease[Credentials]) -> AsyncGenerator[StreamEvent, None]:
            told = model_answers.get() or ModelAnswers()
            told.begin()
            told.note_dropped(self.dropped)
            cost_before = told.cost_usd
            with cleaned_refusals(lease.credentials, self.credentials.reader.key_name):
                async for event in LiteLLMModel.stream(self._with(lease.credentials), *arguments, **more):
                    if "metadata" in event and told.cost_usd == cost_before and not told.headers:
                        self._add_price(told, event["metadata"]["usage"])
                    yield event

        async with aclosing(self.credentials.stream(run)) as events:
            async for event in events:
                yield event

    def _with(self, credentials: Credentials) -> _NamedModel:
        """A copy for one call, so that two calls with different keys do not meet."""
        call = copy.copy(self)
        # LiteLLM writes notes of its own into what it is given.
        call.config, call.client_args = copy.deepcopy(self.config), dict(self.client_args)
        if credentials.key:
            call.client_args["api_key"] = credentials.key
        if credentials.headers:
            call.client_args["extra_headers"] = dict(credentials.headers)
        return call

    def _add_price(self, told: ModelAnswers, usage: Usage) -> None:
        """Adds what LiteLLM's list of prices says, where the provider itself told no cost."""
        counted = litellm.Usage(
            prompt_tokens=usage["inputTokens"],
            completion_tokens=usage["outputTokens"],
            total_tokens=usage["totalTokens"],
            cache_read_input_tokens=usage.get("cacheReadInputTokens"),
            cache_creation_input_tokens=usage.get("cacheWriteInputTokens"),
        )
        try:
            prices = litellm.cost_per_token(model=self.config["model_id"], usage_object=counted)
        except Exception:
            # It knows no such model; a cost that is not known is told as none.
            return
        told.add_cost(sum(prices), "litellm_prices", tokens=usage["totalTokens"])


def endpoint_model(client: OpenAICompatibleClient, *, caches_tools: bool, **configuration: Any) -> LiteLLMModel:
    """Makes the model behind an address, as LiteLLM's documentation has it: `custom_llm_provider="openai"`.

    Args:
        client: The connection, which also has the key and the headers: LiteLLM never sees them.
        caches_tools: Whether the tools' definitions are marked for the provider's cache.
        **configuration: Members of Strands' `LiteLLMConfig`.

    Returns:
        The model.
    """
    model = _EndpointModel(
        client_args={
            "custom_llm_provider": "openai",
            "api_base": client.base_url,
            "api_key": "kept-by-the-client",
            "client": _LentClient(client, configuration["model_id"]),
            # The connection retries, and hears the endpoint's Retry-After.
            "num_retries": 0,
            "max_retries": 0,
        },
        **configuration,
    )
    model.caches_tools = caches_tools
    return model


def named_model(
    credentials: LeasedClients[Credentials],
    *,
    caches_tools: bool,
    client_args: dict[str, Any],
    retries: int | None,
    **configuration: Any,
) -> LiteLLMModel:
    """Makes the model whose provider LiteLLM finds by its name.

    Args:
        credentials: Where key and headers come from.
        caches_tools: Whether the tools' definitions are marked for the provider's cache.
        client_args: Arguments of LiteLLM's `completion` that hold no secret.
        retries: Times that a failed call is made again; the library's when None.
        **configuration: Members of Strands' `LiteLLMConfig`.

    Returns:
        The model.

    Raises:
        EnvironmentFault: LiteLLM would keep a parameter to itself.
    """
    if not any(isinstance(callback, _Listener) for callback in litellm.callbacks):
        litellm.callbacks.append(_Listener())
    if retries is not None:
        client_args |= _retries(configuration["model_id"], retries)
    configuration["params"] = _with_metadata(configuration["model_id"], configuration["params"])
    model = _NamedModel(client_args=client_args, **configuration)
    model.credentials, model.caches_tools = credentials, caches_tools
    model.dropped = _dropped(configuration)
    return model


def _dropped(configuration: dict[str, Any]) -> tuple[str, ...]:
    """The parameters that LiteLLM does not pass on to this provider, where it was told to be silent about that."""
    params = configuration["params"]
    named = tuple(params.get("additional_drop_params") or ())
    if not (litellm.drop_params or params.get("drop_params")):
        return named
    model, provider = litellm.get_llm_provider(configuration["model_id"])[:2]
    return named + tuple(name for name, value in params.items() if _is_refused(model, provider, name, value))


def _is_refused(model: str, provider: str, name: str, value: Any) -> bool:
    try:
        get_optional_params(model=model, custom_llm_provider=provider, drop_params=False, **{name: value})
    except UnsupportedParamsError:
        return True
    except Exception:
        # Another fault of the value: the call itself will tell.
        return False
    return False


def _retries(model_id: str, times: int) -> dict[str, int]:
    if litellm.get_llm_provider(model_id)[1] in _BY_OPENAI_CLIENT:
        # LiteLLM's own retries would come on top of that client's.
        return {"max_retries": times}
    return {"num_retries": times, "max_retries": 0}


def _with_metadata(model_id: str, params: dict[str, Any]) -> dict[str, Any]:
    """Has `metadata` sent, which is to LiteLLM a note for its own log, and to an author a parameter like any other."""
    if "metadata" not in params:
        return params
    provider = litellm.get_llm_provider(model_id)[1]
    if provider == "anthropic":
        return params
    if provider != "openai" and provider not in litellm.openai_compatible_providers:  # type: ignore[attr-defined]
        raise EnvironmentFault(f"model.params.metadata is not sent by LiteLLM to {provider}: remove it.")
    rest = {name: value for name, value in params.items() if name != "metadata"}
    return rest | {"extra_body": {"metadata": params["metadata"]}}


class _LentClient(openai.AsyncOpenAI):
    """What LiteLLM takes for its OpenAI client: the calls go over the connection that the light client uses too."""

    def __init__(self, client: OpenAICompatibleClient, model_id: str) -> None:
        super().__init__(base_url=client.base_url, api_key="kept-by-the-client")

        async def create(*, extra_body: dict[str, Any] | None = None, **request: Any) -> _Parsed:
            body = {name: value for name, value in request.items() if name not in _OF_THE_CALL}
            return _Parsed(await client.answer(body | (extra_body or {}) | {"model": model_id}))

        calls = SimpleNamespace(with_raw_response=SimpleNamespace(create=create))
        self._calls = SimpleNamespace(completions=calls)

    @property
    def chat(self) -> Any:
        return self._calls


class _Parsed:
    """An answer as `with_raw_response` of the `openai` package gives it."""

    def __init__(self, answer: Answer) -> None:
        self.headers = answer.headers
        self._completion = answer.completion

    def parse(self) -> Any:
        """The completion, or the stream of its chunks, in the package's classes."""
        if isinstance(self._completion, dict):
            return construct_type(type_=ChatCompletion, value=self._completion)
        return self._chunks()

    async def _chunks(self) -> AsyncGenerator[Any]:
        async with aclosing(self._completion) as chunks:
            async for chunk in chunks:
                yield construct_type(type_=ChatCompletionChunk, value=chunk)


class _Listener(CustomLogger):
    """Hears what a provider tells of its answers besides their text; a lent client hears that by itself."""

    async def async_post_call_success_deployment_hook(self, request_data: Any, response: Any, call_type: Any) -> None:
        """Hears a whole answer."""
        told = model_answers.get()
        if told and not _is_lent(request_data.get("model")):
            _note(told, response)
            told.end(getattr(response, "usage", None), asked=request_data)

    async def async_post_call_streaming_deployment_hook(
        self, request_data: Any, response_chunk: Any, call_type: Any
    ) -> None:
        """Hears a chunk of a streamed answer."""
        told = model_answers.get()
        if told and not _is_lent(request_data.get("model")):
            _note(told, response_chunk)

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """Hears that a provider is asked, be it for the first time or once more."""
        told = model_answers.get()
        if told and not _is_lent(model):
            told.note_attempt()


def _is_lent(model: object) -> bool:
    return bool(model == _NEUTRAL_NAME)


def _note(told: ModelAnswers, answer: Any) -> None:
    hidden = getattr(answer, "_hidden_params", None) or {}
    prefix = "llm_provider-"
    headers = {name.removeprefix(prefix): value for name, value in (hidden.get("additional_headers") or {}).items()}
    if not told.headers:
        told.hear(headers)
    told.note_model(hidden.get("provider_response_model") or getattr(answer, "model", None))


@contextmanager
def _as_the_light_client() -> Iterator[None]:
    """Raises what the connection raised, where LiteLLM has wrapped it, in the classes that Strands' agent knows."""
    try:
        yield
    except Exception as error:
        raise _of_the_connection(error) from None


def _of_the_connection(error: Exception) -> Exception:
    raised, step = error, error.__cause__ or error.__context__
    while step is not None:
        if isinstance(step, StrandlineError | ModelThrottledException | ContextWindowOverflowException):
            raised = step
        step = step.__cause__ or step.__context__
    return raised
