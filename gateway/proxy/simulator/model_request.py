"""What a model is asked for, read from OpenAI's "Create chat completion"."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool that the model may call.

    Attributes:
        name: Its name.
        description: What it says of itself.
        schema: JSON Schema of its arguments.
    """

    name: str
    description: str
    schema: Any


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered.

    Attributes:
        tool: The tool's name; empty where the conversation does not tell it.
        text: The answer.
    """

    tool: str
    text: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model.

    Attributes:
        model: The model that is called, by its public name.
        agent: The agent that calls, if it said who it is.
        message: Text of the user's last message.
        turn: How many messages the user has sent.
        tool_results: What tools have answered since the user's last message.
        tools: Tools that may be called now.
        must_call: Whether a tool has to be called.
        schema: JSON Schema that the answer has to fit; nothing where any text will do.
        longest: The most tokens of an answer.
        fingerprint: Hash of the conversation, in hexadecimal; the same for whichever model it comes to.
        size: Characters of the conversation and of what goes with it.
    """

    model: str
    agent: str | None
    message: str
    turn: int
    tool_results: tuple[ToolResult, ...]
    tools: tuple[OfferedTool, ...]
    must_call: bool
    schema: Any
    longest: int | None
    fingerprint: str
    size: int


def read_request(
    model: str, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any], agent: str | None
) -> ModelRequest:
    """Reads a call.

    Args:
        model: The model that is called.
        messages: The conversation in OpenAI's words.
        parameters: The other members of the request.
        agent: Who calls.

    Returns:
        The call.
    """
    messages = [_plain(message) for message in messages]
    users = [index for index, message in enumerate(messages) if message.get("role") == "user"]
    tools, must_call = _tools(parameters)
    asked = json.dumps([messages, [tool.schema for tool in tools]], sort_keys=True, default=str)
    return ModelRequest(
        model=model,
        agent=agent,
        message=text_of(messages[users[-1]].get("content")) if users else "",
        turn=len(users),
        tool_results=_tool_results(messages, users[-1] + 1 if users else 0),
        tools=tools,
        must_call=must_call,
        schema=_schema(parameters.get("response_format")),
        longest=parameters.get("max_completion_tokens") or parameters.get("max_tokens"),
        fingerprint=hashlib.sha256(json.dumps([agent, asked]).encode()).hexdigest(),
        size=len(asked),
    )


def text_of(content: Any) -> str:
    """The text of a message's content, which is a text or a list of parts."""
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part, dict) and part.get("text"))
    return content if isinstance(content, str) else ""


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    return message if isinstance(message, dict) else dict(message)


def _tool_results(messages: Sequence[Mapping[str, Any]], start: int) -> tuple[ToolResult, ...]:
    names = {
        call["id"]: call["function"]["name"]
        for message in messages
        for call in message.get("tool_calls") or ()
        if call.get("id")
    }
    return tuple(
        ToolResult(names.get(message.get("tool_call_id"), message.get("name") or ""), text_of(message.get("content")))
        for message in messages[start:]
        if message.get("role") == "tool"
    )


def _tools(parameters: Mapping[str, Any]) -> tuple[tuple[OfferedTool, ...], bool]:
    choice = parameters.get("tool_choice") or "auto"
    named = choice.get("function", choice).get("name") if isinstance(choice, dict) else None
    offered = tuple(
        OfferedTool(function["name"], function.get("description") or "", function.get("parameters") or True)
        for function in (tool.get("function") for tool in parameters.get("tools") or ())
        if isinstance(function, dict) and function.get("name")
    )
    if choice == "none":
        return (), False
    if named:
        return tuple(tool for tool in offered if tool.name == named), True
    return offered, choice in ("required", "any")


def _schema(response_format: Any) -> Any:
    if not isinstance(response_format, dict):
        return None
    if response_format.get("type") == "json_schema":
        inner = response_format.get("json_schema")
        return (inner or {}).get("schema", {"type": "object"})
    return {"type": "object"} if response_format.get("type") == "json_object" else None
