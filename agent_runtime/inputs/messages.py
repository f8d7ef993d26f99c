"""A list of messages: a conversation as the caller tells it, in Strands' or in OpenAI's shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.inputs import openai
from agent_runtime.inputs.blocks import read_content

if TYPE_CHECKING:
    from strands.types.content import ContentBlock, Message, Messages

    from agent_runtime.inputs.place import Place

MAXIMUM_MESSAGES = 1000

_ROLES = ("assistant", "tool", "user")
_INSTRUCTIONS = ("developer", "system")


def read_messages(place: Place) -> Messages:
    """Reads a list of messages, the question last.

    Args:
        place: The list.

    Returns:
        The messages as Strands takes them: user and assistant in turn, each result of a tool after its call.

    Raises:
        BadRequestError: A message is none that the agent takes, or they are in no order that a model takes.
    """
    messages: Messages = []
    calls = _OpenCalls()
    asks = False
    for item in place.items(MAXIMUM_MESSAGES):
        role, content = _read(item)
        if not messages and role != "user":
            item.refuse("is the first one: a conversation begins with a message of the user.")
        calls.follow(item, role, content)
        _append(messages, role, content)
        asks = role == "user" and any("toolResult" not in block for block in content)
    if not asks:
        item.refuse("is the last one: it must be the user's and ask something. The agent runs its tools by itself.")
    return messages


class _OpenCalls:
    """Calls of tools that have no result yet: a result comes in the message right after its call."""

    def __init__(self) -> None:
        self._open: dict[str, Place] = {}

    def follow(self, item: Place, role: str, content: list[ContentBlock]) -> None:
        for block in content:
            if "toolResult" in block and not self._open.pop(block["toolResult"]["toolUseId"], None):
                item.refuse("has the result of a call that no message right before it makes.")
        if self._open and any("toolResult" not in block for block in content):
            next(iter(self._open.values())).refuse("calls a tool, and the result does not follow.")
        for block in content:
            if "toolUse" in block:
                if block["toolUse"]["toolUseId"] in self._open:
                    item.refuse("has two calls with one id.")
                self._open[block["toolUse"]["toolUseId"]] = item


def _read(item: Place) -> tuple[str, list[ContentBlock]]:
    role = item.member("role")
    if role.value in _INSTRUCTIONS:
        role.refuse(f"is {role.value}: the agent's instructions are those of its blueprint, callers send none.")
    name = role.one_of(_ROLES)
    if name == "tool":
        return "user", openai.read_tool_message(item)
    calls = item.member("tool_calls") if name == "assistant" and item.has("tool_calls") else None
    content = _content(item.member("content"), name, may_be_none=calls is not None)
    if calls:
        content += openai.read_tool_calls(calls)
    if not content:
        item.member("content").refuse("says nothing.")
    return name, sorted(content, key=lambda block: "toolResult" not in block)


def _content(place: Place, role: str, *, may_be_none: bool) -> list[ContentBlock]:
    if role == "assistant" and isinstance(place.value, str):
        block = openai.text_block(place, role)
        return [block] if block else []
    return [] if place.value is None and may_be_none else read_content(place, role)


def _append(messages: Messages, role: str, content: list[ContentBlock]) -> None:
    """Adds a message; what one role says in a row is one message, as providers want it."""
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"].extend(content)
    else:
        message: Message = {"role": role, "content": content}  # type: ignore[typeddict-item]
        messages.append(message)
