"""OpenAI's chat completions, whole or in chunks, as Converse stream events, the words that Strands' agent knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping

    from strands.types.streaming import StreamEvent

_STOP_REASONS = {"tool_calls": "tool_use", "length": "max_tokens", "content_filter": "content_filtered"}
_ANSWERED = "end_turn"
# OpenAI's own models keep their reasoning back; others tell it under one of these names.
_REASONING = ("reasoning_content", "reasoning")


def events_of(completion: Mapping[str, Any]) -> Iterator[StreamEvent]:
    """Tells a whole completion as events.

    Args:
        completion: OpenAI's "chat completion object".

    Yields:
        The events of one message.
    """
    choice = _first(completion.get("choices"))
    message = choice.get("message") or {}
    yield _event(messageStart={"role": "assistant"})
    for text, delta in ((_reasoning(message), _reasoning_delta), (message.get("content"), _text_delta)):
        if text:
            yield from _block({}, [delta(text)])
    for call in message.get("tool_calls") or ():
        yield from _tool_block([call])
    yield _stop(choice.get("finish_reason"))
    yield from _usage(completion.get("usage"))


def is_completion(value: Any) -> bool:
    """Tells whether an endpoint's JSON has the shape of a completion, or of a chunk of one."""
    if not isinstance(value, dict) or not isinstance(value.get("usage") or {}, dict):
        return False
    choices = value.get("choices") or []
    return isinstance(choices, list) and all(map(_is_choice, choices))


async def events_of_chunks(chunks: AsyncIterable[Mapping[str, Any]]) -> AsyncIterator[StreamEvent]:
    """Tells a stream of chunks as events, as they come; calls of tools when they are whole.

    Args:
        chunks: OpenAI's "chat completion chunk objects".

    Yields:
        The events of one message.
    """
    texts = _Texts()
    calls: dict[Any, list[Mapping[str, Any]]] = {}
    reason = usage = None
    yield _event(messageStart={"role": "assistant"})
    async for chunk in chunks:
        # Some endpoints tell the usage in every chunk; the last counts.
        usage = chunk.get("usage") or usage
        choice = _first(chunk.get("choices")) if reason is None else {}
        delta = choice.get("delta") or {}
        for event in texts.events(delta):
            yield event
        for call in delta.get("tool_calls") or ():
            calls.setdefault(call.get("index"), []).append(call)
        reason = reason or choice.get("finish_reason")
    for event in texts.end():
        yield event
    for parts in calls.values():
        for event in _tool_block(parts):
            yield event
    yield _stop(reason)
    for event in _usage(usage):
        yield event


class _Texts:
    """The block of text or reasoning that is being said."""

    def __init__(self) -> None:
        self._kind: Any = None

    def events(self, delta: Mapping[str, Any]) -> Iterator[StreamEvent]:
        """Tells one chunk's texts; a text of another kind than the last one's is a block of its own."""
        for text, kind in ((_reasoning(delta), _reasoning_delta), (delta.get("content"), _text_delta)):
            if text:
                if kind is not self._kind:
                    yield from self.end()
                    yield _event(contentBlockStart={"start": {}})
                    self._kind = kind
                yield _event(contentBlockDelta={"delta": kind(text)})

    def end(self) -> Iterator[StreamEvent]:
        """Ends the block, if one is open."""
        if self._kind:
            yield _event(contentBlockStop={})
            self._kind = None


def _is_choice(choice: Any) -> bool:
    message = (choice.get("message") or choice.get("delta") or {}) if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return False
    calls = message.get("tool_calls") or []
    return isinstance(calls, list) and all(isinstance(call, dict) for call in calls)


def _first(choices: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", choices[0]) if choices else {}


def _event(**members: Any) -> StreamEvent:
    return cast("StreamEvent", members)


def _reasoning(message: Mapping[str, Any]) -> str | None:
    texts = (message.get(name) for name in _REASONING)
    return next((text for text in texts if isinstance(text, str) and text), None)


def _reasoning_delta(text: str) -> dict[str, Any]:
    return {"reasoningContent": {"text": text}}


def _text_delta(text: str) -> dict[str, Any]:
    return {"text": text}


def _block(start: Mapping[str, Any], deltas: list[dict[str, Any]]) -> Iterator[StreamEvent]:
    yield _event(contentBlockStart={"start": start})
    for delta in deltas:
        yield _event(contentBlockDelta={"delta": delta})
    yield _event(contentBlockStop={})


def _tool_block(parts: list[Mapping[str, Any]]) -> Iterator[StreamEvent]:
    """One call of a tool; its name comes with the first part, its arguments piece by piece."""
    functions = [part.get("function") or {} for part in parts]
    start = {"toolUse": {"name": functions[0].get("name"), "toolUseId": parts[0].get("id")}}
    return _block(start, [{"toolUse": {"input": function.get("arguments") or ""}} for function in functions])


def _stop(reason: str | None) -> StreamEvent:
    return _event(messageStop={"stopReason": _STOP_REASONS.get(reason or "", _ANSWERED)})


def _usage(usage: Any) -> Iterator[StreamEvent]:
    if not usage:
        return
    told = {
        "inputTokens": usage.get("prompt_tokens"),
        "outputTokens": usage.get("completion_tokens"),
        "totalTokens": usage.get("total_tokens"),
    }
    details = usage.get("prompt_tokens_details") or {}
    written = details.get("cache_write_tokens")
    # Older versions of LiteLLM tell what Anthropic's cache was written outside of the details.
    written = usage.get("cache_creation_input_tokens") if written is None else written
    cached = {"cacheReadInputTokens": details.get("cached_tokens"), "cacheWriteInputTokens": written}
    told |= {name: count for name, count in cached.items() if isinstance(count, int)}
    # Strands measures the time itself.
    yield _event(metadata={"usage": told, "metrics": {"latencyMs": 0}})
