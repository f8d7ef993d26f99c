"""A reply in each provider's own words: Anthropic's events, Bedrock's event stream, Gemini's chunks."""

from __future__ import annotations

import binascii
import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openai_replies import Reply

MODEL_ID = "answering-model-1"
_JSON, _SSE, _FRAMES = "application/json", "text/event-stream", "application/vnd.amazon.eventstream"
_ENDS = {"length": ("max_tokens", "max_tokens", "MAX_TOKENS")}


def answer(path: str, request: dict[str, Any], reply: Reply) -> tuple[str, bytes]:
    """Writes a reply as the provider does that is asked at this path.

    Args:
        path: Where the request came in; it tells the provider.
        request: The request's body.
        reply: What the model says.

    Returns:
        The content type and the body.
    """
    if path.endswith("/converse-stream"):
        return _FRAMES, b"".join(_bedrock_events(reply))
    if path.endswith("/converse"):
        return _JSON, json.dumps(_bedrock_message(reply)).encode()
    if "streamGenerateContent" in path:
        return _SSE, f"data: {json.dumps(_gemini(reply))}\n\n".encode()
    if "generateContent" in path:
        return _JSON, json.dumps(_gemini(reply)).encode()
    if request.get("stream"):
        events = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _anthropic_events(reply))
        return _SSE, "".join(events).encode()
    return _JSON, json.dumps(_anthropic_message(reply)).encode()


def _end(reply: Reply, wire: int, tool: str, text: str) -> str:
    ends = _ENDS.get(reply.finish_reason or "")
    return ends[wire] if ends else tool if reply.tool_calls else text


# Anthropic: "Messages" and "Streaming Messages" of its API reference.


def _anthropic_usage(reply: Reply) -> dict[str, int]:
    return {
        "input_tokens": reply.prompt_tokens,
        "output_tokens": reply.completion_tokens,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 2,
    }


def _anthropic_blocks(reply: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if reply.reasoning:
        blocks.append({"type": "thinking", "thinking": reply.reasoning, "signature": "c2ln"})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in reply.tool_calls
    ]
    return blocks


def _anthropic_message(reply: Reply) -> dict[str, Any]:
    return {
        **{"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL_ID},
        "content": _anthropic_blocks(reply),
        "stop_reason": _end(reply, 0, "tool_use", "end_turn"),
        "stop_sequence": None,
        "usage": _anthropic_usage(reply),
    }


def _anthropic_events(reply: Reply) -> Iterator[dict[str, Any]]:
    whole = _anthropic_message(reply)
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    for index, block in enumerate(whole["content"]):
        empty, deltas = _anthropic_deltas(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": reply.completion_tokens}}
    yield {"type": "message_stop"}


def _anthropic_deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": part} for part in _halves(block["text"])]
    if block["type"] == "thinking":
        thought = [{"type": "thinking_delta", "thinking": part} for part in _halves(block["thinking"])]
        return {**block, "thinking": "", "signature": ""}, [
            *thought,
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    parts = _halves(json.dumps(block["input"]))
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]


# Amazon Bedrock: "Converse", "ConverseStream" and "Event stream encoding" of AWS's API references.


def _bedrock_message(reply: Reply) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if reply.reasoning:
        content.append({"reasoningContent": {"reasoningText": {"text": reply.reasoning, "signature": "c2ln"}}})
    if reply.text:
        content.append({"text": reply.text})
    content += [
        {"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments}} for call in reply.tool_calls
    ]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _end(reply, 1, "tool_use", "end_turn"),
        "usage": {
            "inputTokens": reply.prompt_tokens,
            "outputTokens": reply.completion_tokens,
            "totalTokens": reply.prompt_tokens + reply.completion_tokens,
        },
        "metrics": {"latencyMs": 1},
    }


def _bedrock_events(reply: Reply) -> Iterator[bytes]:
    whole = _bedrock_message(reply)
    yield _frame("messageStart", {"role": "assistant"})
    for index, block in enumerate(whole["output"]["message"]["content"]):
        place = {"contentBlockIndex": index}
        if "toolUse" in block:
            start = {name: block["toolUse"][name] for name in ("toolUseId", "name")}
            yield _frame("contentBlockStart", {"start": {"toolUse": start}, **place})
        for delta in _bedrock_deltas(block):
            yield _frame("contentBlockDelta", {"delta": delta, **place})
        yield _frame("contentBlockStop", place)
    yield _frame("messageStop", {"stopReason": whole["stopReason"]})
    yield _frame("metadata", {"usage": whole["usage"], "metrics": whole["metrics"]})


def _bedrock_deltas(block: dict[str, Any]) -> list[dict[str, Any]]:
    if "text" in block:
        return [{"text": part} for part in _halves(block["text"])]
    if "toolUse" in block:
        return [{"toolUse": {"input": part}} for part in _halves(json.dumps(block["toolUse"]["input"]))]
    thought = block["reasoningContent"]["reasoningText"]
    deltas = [{"reasoningContent": {"text": part}} for part in _halves(thought["text"])]
    return [*deltas, {"reasoningContent": {"signature": thought["signature"]}}]


def _frame(kind: str, payload: dict[str, Any]) -> bytes:
    """A message of AWS's event stream: lengths, headers, payload, checksums."""
    headers = b""
    for name, value in ((":event-type", kind), (":content-type", _JSON), (":message-type", "event")):
        headers += (
            struct.pack(">B", len(name)) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack(">I", binascii.crc32(prelude))
    message = prelude + headers + body
    return message + struct.pack(">I", binascii.crc32(message))


# Gemini: "GenerateContentResponse" of Vertex AI's API reference; a stream is made of the same.


def _gemini(reply: Reply) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if reply.reasoning:
        parts.append({"text": reply.reasoning, "thought": True})
    if reply.text:
        parts.append({"text": reply.text})
    parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in reply.tool_calls]
    usage = {"promptTokenCount": reply.prompt_tokens, "candidatesTokenCount": reply.completion_tokens}
    return {
        "candidates": [
            {"content": {"role": "model", "parts": parts}, "finishReason": _end(reply, 2, "STOP", "STOP"), "index": 0}
        ],
        "usageMetadata": {**usage, "totalTokenCount": reply.prompt_tokens + reply.completion_tokens},
        "modelVersion": MODEL_ID,
    }


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]
