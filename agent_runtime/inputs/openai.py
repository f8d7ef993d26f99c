"""OpenAI's shapes, made into content blocks ("Create chat completion", OpenAI API reference)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent_runtime.inputs import media
from agent_runtime.inputs.place import Place

if TYPE_CHECKING:
    from strands.types.content import ContentBlock

_PARTS = {"user": ("text", "image_url", "file"), "assistant": ("text", "refusal")}


def read_part(item: Place, role: str) -> ContentBlock | None:
    """Reads a content part: an object with a `type`.

    Args:
        item: The part.
        role: Who says it.

    Returns:
        A content block; nothing for an assistant's text that says nothing.

    Raises:
        BadRequestError: It is of a type that is not taken, or its content is wrong.
    """
    kind = item.member("type").one_of(_PARTS[role])
    if kind in ("text", "refusal"):
        return text_block(item.member(kind), role)
    return _image(item.member(kind)) if kind == "image_url" else _file(item.member(kind))


def text_block(place: Place, role: str) -> ContentBlock | None:
    """Makes a content block of a text; an assistant's may be empty, beside the calls of tools.

    Args:
        place: The text.
        role: Who says it.

    Returns:
        The block; nothing if there is nothing to say.

    Raises:
        BadRequestError: It is no text, or a user's is empty.
    """
    if role == "assistant" and not place.any_text().strip():
        return None
    return {"text": place.text()}


def read_tool_calls(place: Place) -> list[ContentBlock]:
    """Reads the `tool_calls` of an assistant's message.

    Args:
        place: The list.

    Returns:
        A block for each.

    Raises:
        BadRequestError: One is no call of a function with arguments in JSON.
    """
    return [_tool_call(call) for call in place.items()]


def read_tool_message(message: Place) -> list[ContentBlock]:
    """Reads a message with the role `tool`.

    Args:
        message: The message.

    Returns:
        The result as a block of a user's message.

    Raises:
        BadRequestError: It names no call, or its content is no text.
    """
    content = message.member("content")
    if isinstance(content.value, str):
        texts = [content.any_text()]
    else:
        texts = [_text_of_result(part) for part in content.items()]
    identifier = message.member("tool_call_id").tool_id()
    return [
        {"toolResult": {"toolUseId": identifier, "status": "success", "content": [{"text": text} for text in texts]}}
    ]


def _text_of_result(part: Place) -> str:
    part.member("type").one_of(("text",))
    return part.member("text").any_text()


def _tool_call(call: Place) -> ContentBlock:
    call.member("type").one_of(("function",))
    function = call.member("function")
    arguments = function.member("arguments")
    return {
        "toolUse": {
            "toolUseId": call.member("id").tool_id(),
            "name": function.member("name").tool_name(),
            "input": _arguments(arguments),
        }
    }


def _arguments(place: Place) -> Any:
    try:
        value = json.loads(place.any_text() or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        place.refuse("must be a JSON object, written as a text.")
    return Place(place.path, value).json_value()


def _image(place: Place) -> ContentBlock:
    # Some clients send the address itself.
    return media.image(*media.data_url(place if isinstance(place.value, str) else place.member("url")))


def _file(place: Place) -> ContentBlock:
    if place.has("file_id"):
        place.refuse("has a file_id: send the file itself, as file_data.")
    named, data = place.member("filename"), place.member("file_data")
    filename = named.any_text(maximum=1000) if named.value is not None else ""
    name = Place(named.path, media.name_of_file(filename) if filename else None)
    if isinstance(data.value, str) and not data.value.startswith("data:"):
        # Without a type in front, the ending of its name tells the format.
        return media.document(Place(named.path, filename.rpartition(".")[2].lower()), name, data)
    format, content = media.data_url(data)
    return media.document(format, name, content)
