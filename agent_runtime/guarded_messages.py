"""Data protection of what a caller sends: the texts of all messages; what is no text does not pass."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, cast

from agent_runtime.failures import BadRequestError
from agent_runtime.inputs.media import TEXT_DOCUMENTS, name_of_content

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
    return [
        {**message, "content": [protected_block(protect, block) for block in message["content"]]}
        for message in messages
    ]


def protected_block(protect: Callable[[str], str], block: ContentBlock) -> ContentBlock:
    """Filters one block of a message, or one part of a tool's result; work for the CPU.

    Args:
        protect: Filters a text.
        block: The block.

    Returns:
        The same with every text filtered.

    Raises:
        BadRequestError: It is an image, or a document that is no text.
        InvocationError: As `protect` does.
    """
    if "document" in block:
        return cast("ContentBlock", {"document": _document(protect, block["document"])})
    if "image" in block:
        _refuse("an image")
    if "video" in block:
        _refuse("a video")
    if "json" in block:
        return _json_part(protect, block)
    if "toolResult" in block:
        result = block["toolResult"]
        content = [protected_block(protect, cast("ContentBlock", part)) for part in result["content"]]
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
    content = protect(text).encode()
    # Not its own name: what the filter would know as an address is none any more where a hyphen stands for the @.
    return {**document, "name": name_of_content(content), "source": {"bytes": content}}


def _json_part(protect: Callable[[str], str], block: Any) -> ContentBlock:
    """Filters data: its texts one by one, and then as the model reads it, with its names and numbers.

    Next to `"phone":` ten digits are a phone number, and a name may be an address. The whole alone would not do: the
    `n` by which JSON writes a line break hides what follows it.
    """
    texts = _json(protect, block["json"])
    whole = json.dumps(texts, ensure_ascii=False)
    filtered = protect(whole)
    return cast("ContentBlock", {"json": texts} if filtered == whole else {"text": filtered})


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
