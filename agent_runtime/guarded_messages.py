"""Data protection of what a caller sends: the texts of all messages; what is no text does not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

from agent_runtime.failures import BadRequestError
from agent_runtime.inputs.media import TEXT_DOCUMENTS, UNNAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from strands.types.content import ContentBlock, Messages


def protected_messages(protect: Callable[[str], str], messages: Messages) -> Messages:
    """Filters messages; work for the CPU.

    Args:
        protect: Filters a text.
        messages: What the caller says.

    Returns:
        The same with every text filtered: also those in results and calls of tools, and in documents of text.

    Raises:
        BadRequestError: There is an image, or a document that is no text.
        InvocationError: As `protect` does.
    """
    return [{**message, "content": [_block(protect, block) for block in message["content"]]} for message in messages]


def _block(protect: Callable[[str], str], block: ContentBlock) -> ContentBlock:
    if "document" in block:
        return cast("ContentBlock", {"document": _document(protect, block["document"])})
    if "image" in block:
        _refuse("an image")
    if "toolResult" in block:
        result = block["toolResult"]
        content = [_block(protect, cast("ContentBlock", part)) for part in result["content"]]
        return cast("ContentBlock", {"toolResult": {**result, "content": content}})
    if "toolUse" in block:
        return {"toolUse": {**block["toolUse"], "input": _json(protect, block["toolUse"]["input"])}}
    return cast("ContentBlock", _json(protect, block))


def _document(protect: Callable[[str], str], document: Mapping[str, Any]) -> dict[str, Any]:
    if document["format"] not in TEXT_DOCUMENTS:
        _refuse(f"a document of the format {document['format']}")
    try:
        text = document["source"]["bytes"].decode()
    except UnicodeDecodeError:
        _refuse("a document of text that is not UTF-8")
    # What the filter puts in place of a name is none that Bedrock takes.
    name = document["name"] if protect(document["name"]) == document["name"] else UNNAMED
    return {**document, "name": name, "source": {"bytes": protect(text).encode()}}


def _json(protect: Callable[[str], str], value: Any) -> Any:
    if isinstance(value, str):
        return protect(value)
    if isinstance(value, dict):
        return {key: _json(protect, member) for key, member in value.items()}
    if isinstance(value, list):
        return [_json(protect, member) for member in value]
    return value


def _refuse(what: str) -> NoReturn:
    raise BadRequestError(
        f"The payload holds {what}. The agent's data protection reads texts only, so it may not pass: "
        f"send its text, or a document of one of the formats {', '.join(sorted(TEXT_DOCUMENTS))}."
    )
