"""How an agent is asked, by the protocol that its runtime serves: `strandline invoke`, and the checks of a release.

A dialect writes the question, and reads the answer into the events that the handler sends over HTTP: pieces of text,
and last the answer with all that is known of it, or a failure.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]

# `agent_runtime.protocols.answers` has the same; a function of a deployment carries no agent_runtime.
ANSWER, ERROR = "strandline/answer", "strandline/error"

# "MCP protocol contract": AgentCore needs no handshake, the server keeps nothing of it.
_MCP_VERSION = "2025-11-25"


@dataclass(frozen=True, slots=True)
class Question:
    """What InvokeAgentRuntime is called with.

    Attributes:
        payload: The body, as JSON.
        accept: Types of answers that are read.
        parameters: Further parameters of the call.
    """

    payload: dict[str, Any]
    accept: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol.

    Attributes:
        ask: Writes a question of an agent's id, a prompt and a session.
        read: Reads the messages of an answer.
        probe: Writes a question that the agent answers without its model, and over HTTP with all of its secrets.
    """

    ask: Callable[[str, str, str], Question]
    read: Callable[[Iterator[Event]], Iterator[Event]]
    probe: Callable[[], Question]


def _ask_http(agent: str, prompt: str, session: str) -> Question:
    return Question({"prompt": prompt}, "text/event-stream")


def _probe_http() -> Question:
    return Question({"probe": True}, "application/json")


def _ask_mcp(agent: str, prompt: str, session: str) -> Question:
    call = {"name": agent, "arguments": {"prompt": prompt}}
    return Question(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
        "application/json, text/event-stream",
        {"mcpSessionId": session, "mcpProtocolVersion": _MCP_VERSION},
    )


def _probe_mcp() -> Question:
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    return Question(listing, "application/json, text/event-stream", {"mcpProtocolVersion": _MCP_VERSION})


def _read_mcp(messages: Iterator[Event]) -> Iterator[Event]:
    for message in messages:
        if "error" in message:
            yield _refusal(message["error"])
        if "result" not in message:
            continue
        result, meta = message["result"], message["result"].get("_meta", {})
        if result.get("isError"):
            yield {"error": meta.get(ERROR) or {"message": "; ".join(_texts(result["content"]))}}
            return
        yield from map(_piece, _texts(result["content"]))
        yield _end(meta, result.get("structuredContent"))


def _ask_a2a(agent: str, prompt: str, session: str) -> Question:
    message = {
        "kind": "message",
        "role": "user",
        "messageId": str(uuid.uuid4()),
        "contextId": session,
        "parts": [{"kind": "text", "text": prompt}],
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": {"message": message}}
    return Question(body, "text/event-stream, application/json")


def _probe_a2a() -> Question:
    # Of a task that there is not: the answer is A2A's own error, and it is the agent's.
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": str(uuid.uuid4())}}
    return Question(asked, "application/json")


def _read_a2a(messages: Iterator[Event]) -> Iterator[Event]:
    structured: Any = None
    for message in messages:
        if "error" in message:
            yield _refusal(message["error"])
            return
        event = message.get("result", {})
        if event.get("kind") == "artifact-update":
            parts = event["artifact"]["parts"]
            yield from map(_piece, _texts(parts))
            structured = next((part["data"] for part in parts if "data" in part), structured)
        state = event.get("status", {}).get("state")
        if state == "completed":
            yield _end(event.get("metadata", {}), structured)
        elif event.get("final"):
            yield {"error": event.get("metadata", {}).get(ERROR) or {"message": f"The task is {state}."}}


def _texts(parts: list[Event]) -> list[str]:
    return [part["text"] for part in parts if "text" in part]


def _piece(text: str) -> Event:
    return {"event": {"contentBlockDelta": {"delta": {"text": text}}}}


def _end(metadata: Mapping[str, Any], structured: Any) -> Event:
    return {"result": {}, "structured": structured, **metadata.get(ANSWER, {})}


def _refusal(error: Mapping[str, Any]) -> Event:
    """An error of JSON-RPC, with the type and the id that our handler puts into it."""
    data = error.get("data")
    told = data if isinstance(data, dict) else {}
    return {"error": {"type": f"JSON-RPC error {error.get('code')}", **told, "message": error.get("message")}}


DIALECTS = {
    "HTTP": Dialect(_ask_http, lambda messages: messages, _probe_http),
    "MCP": Dialect(_ask_mcp, _read_mcp, _probe_mcp),
    "A2A": Dialect(_ask_a2a, _read_a2a, _probe_a2a),
}
"""By the name of the protocol in a blueprint."""
