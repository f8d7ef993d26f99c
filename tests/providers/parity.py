"""The same conversation through both ways to an OpenAI-compatible endpoint: what each sends, what each yields.

`light` is Strands' OpenAI client, `litellm` Strands' LiteLLM client told `custom_llm_provider="openai"`.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Any

from tests.support.openai_server import OpenAIServer, Reply, ToolCall

KEY = "sk-parity"
# What a client library says of itself, and what the connection needs.
_OWN_HEADERS = ("user-agent", "x-stainless-", "host", "content-length", "connection", "accept", "accept-encoding")

TOOL = {
    "name": "lookup",
    "description": "Looks a word up.",
    "inputSchema": {
        "json": {
            "type": "object",
            "properties": {
                "word": {"type": "string", "description": "The word."},
                "mode": {"enum": ["short", "long"]},
                "where": {"type": "array", "items": {"type": "object", "properties": {"page": {"type": "integer"}}}},
            },
            "required": ["word"],
        }
    },
}
OTHER_TOOL = {"name": "clock", "description": "Tells the time.", "inputSchema": {"json": {"type": "object", "properties": {}}}}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": one} if isinstance(one, str) else one for one in content]}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"text": one} if isinstance(one, str) else one for one in content]}


def tool_use(identity: str = "call_1", name: str = "lookup", **arguments: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": identity, "name": name, "input": arguments}}


def tool_result(*content: Any, identity: str = "call_1", status: str = "success") -> dict[str, Any]:
    blocks = [{"text": one} if isinstance(one, str) else one for one in content]
    return {"toolResult": {"toolUseId": identity, "status": status, "content": blocks}}


def image(kind: str = "png") -> dict[str, Any]:
    return {"image": {"format": kind, "source": {"bytes": PIXEL}}}


def document(kind: str = "pdf") -> dict[str, Any]:
    return {"document": {"format": kind, "name": "report", "source": {"bytes": b"%PDF-1.4 report"}}}


@dataclass(frozen=True)
class Case:
    """One conversation.

    Attributes:
        name: What is special about it.
        messages: The conversation.
        reply: What the endpoint answers.
        system: The system prompt, as text or as blocks.
        tools: The tools that the model may ask for.
        tool_choice: Strands' choice of tools.
        params: The model's parameters.
        model_id: The model.
        stream: Whether the answer is streamed.
        headers: Extra headers.
    """

    name: str
    messages: tuple[dict[str, Any], ...] = (user("Hello"),)
    reply: Reply = field(default_factory=Reply)
    system: str | list[dict[str, Any]] | None = "You answer briefly."
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: dict[str, Any] | None = None
    params: dict[str, Any] = field(default_factory=lambda: {"temperature": 0.2, "max_tokens": 64})
    model_id: str = "house-model"
    stream: bool = True
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one client did.

    Attributes:
        path: Path of the request.
        headers: Headers that carry meaning.
        body: Body of the request.
        events: What it yielded.
        error: Name of the class of exceptions that Strands knows, or `APIError` for any other of the endpoint's.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    events: list[Any]
    error: str | None


def run(case: Case, client: str) -> Outcome:
    """Has one client hold the conversation with a server of its own."""
    with OpenAIServer() as server:
        server.script(case.model_id, case.reply)
        model = _model(case, client, server.base_url)
        events, error = asyncio.run(_collect(case, model))
        request = server.requests[0]
    return Outcome(request.path, _meaningful(request.headers), request.body, events, error)


def _model(case: Case, client: str, base_url: str) -> Any:
    settings = {"model_id": case.model_id, "params": case.params, "stream": case.stream}
    if client == "light":
        from agent_runtime.light_model import LightModel

        arguments = {"base_url": base_url, "api_key": KEY, "default_headers": case.headers, "max_retries": 0}
        return LightModel(client_args=arguments, **settings)
    from strands.models.litellm import LiteLLMModel

    arguments = {
        "custom_llm_provider": "openai",
        "api_base": base_url,
        "api_key": KEY,
        "extra_headers": case.headers,
        "num_retries": 0,
        "max_retries": 0,
        
    }
    return LiteLLMModel(client_args=arguments, **settings)


async def _collect(case: Case, model: Any) -> tuple[list[Any], str | None]:
    events: list[Any] = []
    blocks = case.system if isinstance(case.system, list) else None
    text = "\n".join(block["text"] for block in blocks if "text" in block) if blocks else case.system
    try:
        async for event in model.stream(
            list(case.messages),
            list(case.tools) or None,
            text,
            tool_choice=case.tool_choice,
            system_prompt_content=blocks,
        ):
            events.append(event)
    except Exception as error:
        return events, _kind(error)
    return events, None


def _kind(error: Exception) -> str:
    name = type(error).__name__
    return name if type(error).__module__.startswith("strands") else f"APIError {getattr(error, 'status_code', None)}"


def _meaningful(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers if not name.lower().startswith(_OWN_HEADERS)}


__all__ = ["Case", "Outcome", "Reply", "ToolCall", "run"]
