"""What the local OpenAI-compatible server answers: replies as data, and the bytes that they become."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model asks for."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    id: str = "call_1"


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        text: What the model says; sent word by word when streamed.
        status: HTTP status; anything but 200 is answered with `error` in OpenAI's shape.
        error: Message of an error.
        headers: Further response headers.
        raw: The body as it is, instead of all that OpenAI would send (malformed JSON, a page of HTML).
        tool_calls: Tools that the model asks for, after the text.
        reasoning: Reasoning text before the answer (`reasoning_content`).
        finish_reason: Why the model stopped; found out from the reply when None.
        model: Model that answered; the one that was asked for when None.
        prompt_tokens: Usage.
        completion_tokens: Usage.
        cost: `usage.cost`, as LiteLLM and OpenRouter tell it; absent when None.
        usage: False leaves the usage out.
        choices: False answers with an empty list of choices.
        stop_after: Number of pieces (chunks of a stream; 0: before the status line) after which the server waits.
        until: What it waits for; None waits until the client goes away or the server ends.
        delay: Seconds that the server takes before it answers.
        cut_after: Number of pieces after which the server closes the connection without an end.
        echo: Says what was asked last, instead of the text.
        endless: Says the text again and again until the client goes away.
        pause: Seconds that the server takes before each piece.
    """

    text: str = "Hello from the local model."
    status: int = 200
    error: str = "The request failed."
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    finish_reason: str | None = None
    model: str | None = None
    prompt_tokens: int = 11
    completion_tokens: int = 7
    cost: float | None = None
    usage: bool = True
    choices: bool = True
    stop_after: int | None = None
    until: threading.Event | None = None
    cut_after: int | None = None
    delay: float = 0.0
    echo: bool = False
    endless: bool = False
    pause: float = 0.0

    def changed(self, **changes: Any) -> Reply:
        """The same reply with some members changed."""
        return replace(self, **changes)


NAMED_REPLIES = {
    **{f"fault-{status}": Reply(status=status) for status in (400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504)},
    "fault-hang": Reply(stop_after=0),
    "fault-hang-in-stream": Reply(stop_after=3),
    "fault-cut": Reply(cut_after=3),
    "fault-cut-at-once": Reply(cut_after=0),
    "fault-malformed": Reply(raw=b'{"id": "chatcmpl-1", "choices": [{"mess'),
    "fault-html": Reply(raw=b"<html><body>502 Bad Gateway</body></html>", headers={"Content-Type": "text/html"}),
    "fault-empty-choices": Reply(choices=False),
    "fault-empty-body": Reply(raw=b""),
    "tool-call": Reply(text="", tool_calls=(ToolCall("lookup", {"word": "tide"}),)),
}
"""Replies that any client can ask for: as the model, as the last part of it (`openai/fault-429`), or as `x-reply`."""


def error_body(message: str, code: str | None = None, kind: str = "error") -> bytes:
    """An error in OpenAI's shape."""
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def whole_body(reply: Reply, request: dict[str, Any]) -> bytes:
    """The body of an answer that is not streamed."""
    if reply.raw is not None:
        return reply.raw
    if reply.status != 200:
        return error_body(reply.error, str(reply.status))
    reply = _in_answer_to(reply, request)
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(call, position) for position, call in enumerate(reply.tool_calls)]
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
    body = {**_frame(reply, request, "chat.completion"), "choices": [choice] if reply.choices else []}
    return json.dumps(body | ({"usage": _usage(reply)} if reply.usage else {})).encode()


def endless_body(reply: Reply) -> Iterator[bytes]:
    """The pieces of an answer that is not streamed and never ends."""
    yield b'{"choices": [{"message": {"content": "'
    yield from itertools.repeat(reply.text.encode())


def stream_pieces(reply: Reply, request: dict[str, Any]) -> Iterator[bytes]:
    """The events of a streamed answer, `data: [DONE]` last."""
    if reply.raw is not None:
        yield reply.raw
        return
    reply = _in_answer_to(reply, request)
    frame = _frame(reply, request, "chat.completion.chunk")
    for delta in _deltas(reply) if reply.choices else ():
        yield _event({**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    if reply.choices:
        yield _event({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish_reason(reply)}]})
    if reply.usage and (request.get("stream_options") or {}).get("include_usage"):
        yield _event({**frame, "choices": [], "usage": _usage(reply)})
    yield b"data: [DONE]\n\n"


def _in_answer_to(reply: Reply, request: dict[str, Any]) -> Reply:
    if not reply.echo:
        return reply
    asked = request["messages"][-1]["content"]
    return reply.changed(text=asked if isinstance(asked, str) else " ".join(part["text"] for part in asked))


def _deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    if reply.reasoning:
        yield {"reasoning_content": reply.reasoning}
    words = reply.text.split(" ") if reply.text else []
    for word in itertools.cycle(words) if reply.endless else words:
        yield {"content": word if reply.text.startswith(word) else f" {word}"}
    for position, call in enumerate(reply.tool_calls):
        yield {"tool_calls": [_tool_call(call, position)]}


def _tool_call(call: ToolCall, position: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"index": position, "id": call.id, "type": "function", "function": function}


def _finish_reason(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


def _usage(reply: Reply) -> dict[str, Any]:
    prompt, completion = reply.prompt_tokens, reply.completion_tokens
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return usage if reply.cost is None else {**usage, "cost": reply.cost}


def _frame(reply: Reply, request: dict[str, Any], kind: str) -> dict[str, Any]:
    model = request.get("model", "unknown") if reply.model is None else reply.model
    return {"id": "chatcmpl-local", "object": kind, "created": 1_700_000_000, "model": model}


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
