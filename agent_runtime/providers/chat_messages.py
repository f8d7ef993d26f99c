"""Strands' conversation in the words of OpenAI's "Create chat completion"."""

from __future__ import annotations

import base64
import json
import logging
import mimetypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from strands.types.content import ContentBlock, Messages, SystemContentBlock
    from strands.types.tools import ToolChoice, ToolResult, ToolSpec, ToolUse

logger = logging.getLogger(__name__)

# These have a place of their own in OpenAI's format, or none.
_NOT_CONTENT = frozenset({"toolResult", "toolUse", "reasoningContent", "cachePoint"})
_IMAGE_FOLLOWS = "Tool successfully returned an image. The image is being provided in the following user message."


def chat_messages(
    messages: Messages, system_prompt: str | None, system_prompt_content: Sequence[SystemContentBlock] | None
) -> list[dict[str, Any]]:
    """Writes a conversation.

    Args:
        messages: The conversation as Strands keeps it.
        system_prompt: The system prompt's text.
        system_prompt_content: The same as blocks, which count if given; cache points in it are kept.

    Returns:
        OpenAI's `messages`. Reasoning of earlier turns is left out: the format has no place for it.

    Raises:
        TypeError: A block's kind has no place in the format.
    """
    written = _system_messages(system_prompt, system_prompt_content)
    for message in messages:
        written += _messages_of(message["role"], message["content"])
    return written


def chat_tools(tool_specs: Iterable[ToolSpec]) -> list[dict[str, Any]]:
    """Writes the definitions of tools.

    Args:
        tool_specs: The tools as Strands knows them.

    Returns:
        OpenAI's `tools`.
    """
    return [
        {
            "type": "function",
            "function": {
                "name": spec["name"],
                "description": spec["description"],
                "parameters": spec["inputSchema"]["json"],
            },
        }
        for spec in tool_specs
    ]


def chat_tool_choice(choice: ToolChoice | None) -> dict[str, Any]:
    """Writes which tool the model is to use.

    Args:
        choice: Bedrock's `toolChoice`; nothing leaves it to the endpoint.

    Returns:
        OpenAI's `tool_choice` as a member of a request.
    """
    match choice:
        case None:
            return {}
        case {"any": _}:
            return {"tool_choice": "required"}
        case {"tool": {"name": name}}:
            return {"tool_choice": {"type": "function", "function": {"name": name}}}
        case _:
            return {"tool_choice": "auto"}


def with_cached_tools(request: dict[str, Any]) -> dict[str, Any]:
    """Marks the end of the tools' definitions for the provider's cache, as LiteLLM has it.

    Args:
        request: A request in OpenAI's format; its last tool is marked.

    Returns:
        The same request.
    """
    if request.get("tools"):
        request["tools"][-1]["cache_control"] = {"type": "ephemeral"}
    return request


def _system_messages(
    system_prompt: str | None, system_prompt_content: Sequence[SystemContentBlock] | None
) -> list[dict[str, Any]]:
    blocks: Sequence[Any] = system_prompt_content or ([{"text": system_prompt}] if system_prompt else [])
    content: list[dict[str, Any]] = []
    for block in blocks:
        if "text" in block:
            content.append({"type": "text", "text": block["text"]})
        elif content and block.get("cachePoint", {}).get("type") == "default":
            ttl = block["cachePoint"].get("ttl")
            content[-1]["cache_control"] = {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
    return [{"role": "system", "content": content}] if content else []


def _messages_of(role: str, blocks: Sequence[ContentBlock]) -> list[dict[str, Any]]:
    """The results of tools come first, each a message of its own, right after the calls that asked for them."""
    results: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for block in blocks:
        if "toolResult" in block:
            result, shown = _tool_message(block["toolResult"])
            results.append(result)
            images += shown
    message: dict[str, Any] = {"role": role}
    if content := [_content_part(block) for block in blocks if _has_place(block)]:
        message["content"] = content
    if calls := [_tool_call(block["toolUse"]) for block in blocks if "toolUse" in block]:
        message["tool_calls"] = calls
    return [*results, *images, *([message] if len(message) > 1 else [])]


def _has_place(block: ContentBlock) -> bool:
    if not _NOT_CONTENT.isdisjoint(block):
        return False
    source = next((member.get("source") for member in block.values() if isinstance(member, dict)), None)
    if isinstance(source, dict) and "location" in source:
        logger.warning("block=<%s> | is left out: OpenAI's format has no place for a location", next(iter(block)))
        return False
    return True


def _content_part(block: Mapping[str, Any]) -> dict[str, Any]:
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "image" in block:
        return {"type": "image_url", "image_url": {"detail": "auto", "url": _data_url(block["image"])}}
    if "document" in block:
        document = block["document"]
        return {"type": "file", "file": {"file_data": _data_url(document), "filename": document["name"]}}
    raise TypeError(f"content_type=<{next(iter(block))}> | unsupported type")


def _data_url(media: Mapping[str, Any]) -> str:
    kind = mimetypes.types_map.get(f".{media['format']}", "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(media['source']['bytes']).decode()}"


def _tool_call(use: ToolUse) -> dict[str, Any]:
    arguments = json.dumps(use["input"], ensure_ascii=False)
    return {"type": "function", "id": use["toolUseId"], "function": {"name": use["name"], "arguments": arguments}}


def _tool_message(result: ToolResult) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A tool's result, and the message that shows its images: the format has images in a user's message only."""
    parts: list[dict[str, Any]] = []
    for block in result["content"]:
        text = json.dumps(block["json"], ensure_ascii=False) if "json" in block else block.get("text")
        if text is not None and parts and parts[-1]["type"] == "text":
            parts[-1]["text"] += f"\n{text}"
        elif text is not None:
            parts.append({"type": "text", "text": text})
        elif "image" in block or "document" in block:
            parts.append(_content_part(block))
    images = [part for part in parts if part["type"] == "image_url"]
    rest = [part for part in parts if part["type"] != "image_url"]
    content: Any = rest
    if images:
        content = [*rest, {"type": "text", "text": _IMAGE_FOLLOWS}]
    elif all(part["type"] == "text" for part in rest):
        # A plain text is what every server understands.
        content = rest[0]["text"] if rest else ""
    shown = [{"role": "user", "content": images}] if images else []
    return {"role": "tool", "tool_call_id": result["toolUseId"], "content": content}, shown
