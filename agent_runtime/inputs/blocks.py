"""Content blocks: those of Strands, which are Converse's ("ContentBlock", Amazon Bedrock API reference)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agent_runtime.inputs import media, openai

if TYPE_CHECKING:
    from collections.abc import Callable

    from strands.types.content import ContentBlock
    from strands.types.tools import ToolResult, ToolResultContent

    from agent_runtime.inputs.place import Place

_ASKED = ("text", "image", "document")
_IN_HISTORY = {"user": ("toolResult",), "assistant": ("toolUse", "reasoningContent")}
_STATUS = ("success", "error")


def read_content(place: Place, role: str = "user") -> list[ContentBlock]:
    """Reads the content of a message: a text, or a list of blocks or parts.

    Args:
        place: The content.
        role: Who says it: `user` or `assistant`.

    Returns:
        Content blocks. Reasoning of earlier answers is left out: no model takes another call's.

    Raises:
        BadRequestError: It is no content, or holds a block that is not taken there.
    """
    if isinstance(place.value, str):
        return [{"text": place.text()}]
    if not isinstance(place.value, list):
        place.refuse("must be a text or a list of content blocks.")
    blocks = [_block(item, role) for item in place.items()]
    return [block for block in blocks if block]


def _block(item: Place, role: str) -> ContentBlock | None:
    if not isinstance(item.value, dict):
        item.refuse('must be a content block such as {"text": "Hello"}.')
    if "type" in item.value:
        return openai.read_part(item, role)
    taken = (*(_ASKED if role == "user" else ("text",)), *_IN_HISTORY[role])
    names = [name for name in item.value if item.value[name] is not None]
    if len(names) != 1 or names[0] not in taken:
        item.refuse(f"must have one member, and one of {', '.join(taken)}.")
    return _READERS[names[0]](item.member(names[0]))


def _text(place: Place) -> ContentBlock:
    return {"text": place.text()}


def _image(place: Place) -> ContentBlock:
    return media.image(place.member("format"), _bytes_of(place))


def _document(place: Place) -> ContentBlock:
    return media.document(place.member("format"), place.member("name"), _bytes_of(place))


def _bytes_of(place: Place) -> Place:
    source = place.member("source")
    if source.has("s3Location") or source.has("location"):
        source.refuse('must be {"bytes": "<base64>"}: the agent fetches nothing from an address.')
    return source.member("bytes")


def _tool_use(place: Place) -> ContentBlock:
    given = place.member("input")
    given.object()
    return {
        "toolUse": {
            "toolUseId": place.member("toolUseId").tool_id(),
            "name": place.member("name").tool_name(),
            "input": given.json_value(),
        }
    }


def _tool_result(place: Place) -> ContentBlock:
    result: ToolResult = {
        "toolUseId": place.member("toolUseId").tool_id(),
        "status": place.member("status").one_of(_STATUS) if place.has("status") else "success",  # type: ignore[typeddict-item]
        "content": [_result_content(item) for item in place.member("content").items()],
    }
    return {"toolResult": result}


def _result_content(item: Place) -> ToolResultContent:
    if item.has("json"):
        return {"json": item.member("json").json_value()}
    if item.has("text"):
        return {"text": item.member("text").any_text()}
    for name in ("image", "document"):
        if item.has(name):
            return cast("ToolResultContent", _READERS[name](item.member(name)))
    item.refuse("must have one of the members text, json, image, document.")


_READERS: dict[str, Callable[[Place], ContentBlock | None]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "toolUse": _tool_use,
    "toolResult": _tool_result,
    "reasoningContent": lambda place: None,
}
