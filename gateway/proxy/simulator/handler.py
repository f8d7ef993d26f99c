"""LiteLLM's custom provider ("Custom API Server", LiteLLM): plain and streamed chat completions, and embeddings."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import litellm
from litellm.exceptions import BadRequestError
from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import Choices, Delta, Message, ModelResponse, ModelResponseStream, StreamingChoices, Usage

from gateway.proxy.simulator.answering import Reply, UnanswerableError, reply_to, rules_for
from gateway.proxy.simulator.faults import PROVIDER, FaultCounter, cut_off, raise_refusal, timed_out
from gateway.proxy.simulator.model_request import read_request
from gateway.proxy.simulator.scenario import read_scenarios

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from litellm.types.utils import EmbeddingResponse, GenericStreamingChunk

    from gateway.proxy.simulator.model_request import ModelRequest
    from gateway.proxy.simulator.scenario import Rule

AGENT_HEADER = "x-strandline-agent"
"""Header in which the handler says which agent calls; it chooses a scenario, and opens nothing."""

FOLDER_VARIABLE = "STRANDLINE_SCENARIOS"
"""Names the folder of the compiled scenarios, where that is not the one beside this package."""

_BESIDE = Path(__file__).parents[3] / "scenarios"
_DIMENSIONS = 1536


class Simulator(CustomLLM):
    """Answers in a model's place.

    Args:
        folder: Where the compiled scenarios lie.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._scenarios = read_scenarios(folder or Path(os.environ.get(FOLDER_VARIABLE) or _BESIDE))
        self._faults = FaultCounter()

    async def acompletion(self, model: str, messages: list[Any], **call: Any) -> ModelResponse:  # type: ignore[override]
        """Answers at once; the arguments are LiteLLM's for every custom provider."""
        reply = self._reply(model, messages, call)
        await _wait_for_timeout(reply, model, call)
        await asyncio.sleep(reply.pace.first_seconds + reply.pace.interval_seconds * max(0, len(reply.pieces) - 1))
        if reply.fault and reply.fault.type == "cut_stream":
            raise cut_off(model)
        message = Message(role="assistant", content=reply.text, tool_calls=_tool_calls(reply) or None)
        response = ModelResponse(
            id=_new_id(),
            model=model,
            choices=[Choices(finish_reason=reply.finish_reason, index=0, message=message)],
            usage=_usage(reply),
        )
        response._hidden_params["response_cost"] = _cost_of(reply, call)
        return response

    def astreaming(  # type: ignore[override]
        self, model: str, messages: list[Any], **call: Any
    ) -> AsyncIterator[ModelResponseStream | GenericStreamingChunk]:
        """Answers in pieces, at the scenario's pace; the arguments are LiteLLM's for every custom provider."""
        # Not in the stream: what a real provider refuses, it refuses before, and LiteLLM then tries again or elsewhere.
        reply = self._reply(model, messages, call)
        # LiteLLM adds this to the cost that it finds by itself, which for a provider of our own is nothing.
        call["logging_obj"].model_call_details["additional_response_cost"] = _cost_of(reply, call)
        return _chunks(reply, model, call)

    async def aembedding(  # type: ignore[override]
        self, model: str, input: Sequence[Any], model_response: EmbeddingResponse, **_: Any
    ) -> EmbeddingResponse:
        """Gives each text a direction of its own, always the same; the arguments are LiteLLM's."""
        texts = [input] if isinstance(input, str) else list(input)
        model_response.model = model
        model_response.data = [
            {"object": "embedding", "index": index, "embedding": _direction(str(text))}
            for index, text in enumerate(texts)
        ]
        tokens = sum(max(1, len(str(text)) // 4) for text in texts)
        model_response.usage = Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens)
        return model_response

    def _reply(self, model: str, messages: list[Any], call: Mapping[str, Any]) -> Reply:
        request = read_request(model, messages, call["optional_params"], _agent_of(call["litellm_params"] or {}))
        try:
            return reply_to(request, self._rule_for(request))
        except UnanswerableError as fault:
            message = f"The simulator cannot answer: {fault}"
            raise BadRequestError(message, model, PROVIDER) from None

    def _rule_for(self, request: ModelRequest) -> Rule | None:
        scenario = self._scenarios.get(request.agent or "")
        for index, rule in rules_for(request, scenario):
            fault = rule.fault
            if fault is None:
                return rule
            if fault.type == "tier_fallback" and scenario and request.model != scenario.model:
                # This is the model that LiteLLM fell back to.
                return rule
            if self._faults.is_due(fault, request, index):
                raise_refusal(fault, request.model)
                return rule
        return None


async def _chunks(
    reply: Reply, model: str, call: Mapping[str, Any]
) -> AsyncIterator[ModelResponseStream | GenericStreamingChunk]:
    await _wait_for_timeout(reply, model, call)
    chunk = _ChunkWriter(model)
    await asyncio.sleep(reply.pace.first_seconds)
    yield chunk(role="assistant", content="")
    is_cut = reply.fault is not None and reply.fault.type == "cut_stream"
    pieces = reply.pieces[: reply.fault.after_pieces] if reply.fault and is_cut else reply.pieces
    for number, piece in enumerate(pieces):
        if number:
            await asyncio.sleep(reply.pace.interval_seconds)
        yield chunk(content=piece)
    if is_cut:
        raise cut_off(model)
    for number, tool_call in enumerate(_tool_calls(reply)):
        yield chunk(tool_calls=[{"index": number, **tool_call}])
    # Of LiteLLM's two shapes of a chunk only this one keeps the usage of the last.
    yield {
        "text": "",
        "is_finished": True,
        "finish_reason": reply.finish_reason,
        "usage": {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        },
    }


class _ChunkWriter:
    """Writes the chunks of one stream."""

    def __init__(self, model: str) -> None:
        self._id = _new_id()
        self._model = model

    def __call__(self, **delta: Any) -> ModelResponseStream:
        choice = StreamingChoices(index=0, delta=Delta(**delta))
        return ModelResponseStream(id=self._id, model=self._model, choices=[choice])


def _agent_of(litellm_params: Mapping[str, Any]) -> str | None:
    headers = (litellm_params.get("proxy_server_request") or {}).get("headers") or {}
    return next((value for name, value in headers.items() if name.lower() == AGENT_HEADER), None)


def _tool_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in reply.calls
    ]


def _usage(reply: Reply) -> Usage:
    return Usage(
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        total_tokens=reply.prompt_tokens + reply.completion_tokens,
    )


def _cost_of(reply: Reply, call: Mapping[str, Any]) -> float | None:
    """What the answer costs: what the scenario says, or what the simulated model would have cost."""
    if reply.cost_usd is not None:
        return reply.cost_usd
    info = (call["litellm_params"] or {}).get("model_info") or {}
    price = info.get("simulated_price")
    if price:
        return float(price["input"] * reply.prompt_tokens + price["output"] * reply.completion_tokens)
    if not info.get("simulated_model"):
        return None
    try:
        parts = litellm.cost_per_token(
            model=info["simulated_model"], prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens
        )
    except Exception:
        # LiteLLM raises a bare Exception for a model that it has no price for.
        return None
    return sum(parts)


async def _wait_for_timeout(reply: Reply, model: str, call: Mapping[str, Any]) -> None:
    """Is silent and gives up, if that is what the scenario says."""
    if reply.fault and reply.fault.type == "timeout":
        patience = _patience(call.get("timeout"))
        await asyncio.sleep(reply.fault.after_seconds if patience is None else min(reply.fault.after_seconds, patience))
        raise timed_out(model)


def _patience(timeout: Any) -> float | None:
    """Seconds that the caller waits; LiteLLM gives a number or an `httpx.Timeout`."""
    if isinstance(timeout, httpx.Timeout):
        return timeout.read
    return float(timeout) if timeout else None


def _direction(text: str) -> list[float]:
    stream = hashlib.shake_256(text.encode()).digest(_DIMENSIONS)
    numbers = [byte - 127.5 for byte in stream]
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"
