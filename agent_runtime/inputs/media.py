"""Images and documents: formats, sizes, and whether the bytes are what they are said to be.

Formats and the rule for a document's name are those of Converse ("ImageBlock", "DocumentBlock", Amazon Bedrock API
reference); the other providers take no more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strands.types.content import ContentBlock
    from strands.types.media import DocumentContent, ImageContent

    from agent_runtime.inputs.place import Place

MAXIMUM_IMAGE_BYTES = 5_000_000
MAXIMUM_DOCUMENT_BYTES = 4_500_000

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_IMAGES = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff", "gif": b"GIF8", "webp": b"RIFF"}
# Nothing marks a text.
_DOCUMENTS = {
    **{"pdf": b"%PDF-", "doc": _OLE, "xls": _OLE, "docx": _ZIP, "xlsx": _ZIP},
    **dict.fromkeys(("csv", "html", "md", "txt"), b""),
}
TEXT_DOCUMENTS = frozenset(name for name, mark in _DOCUMENTS.items() if not mark)
"""Formats of documents that are text."""

_OFFICE = "application/vnd.openxmlformats-officedocument"
_MEDIA_TYPES = {
    **{f"image/{name}": name for name in _IMAGES},
    "image/jpg": "jpeg",
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
}

_NAME = re.compile(r"(?=.{1,200}\Z)[\w()\[\]-]+(?: [\w()\[\]-]+)*", re.ASCII)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_LONGEST_NAME = 200
_DATA_URL = re.compile(r"data:([a-z0-9.+/-]+)(?:;[a-z0-9=._-]+)*;base64,", re.IGNORECASE)
_UNNAMED = "document"


def image(format: Place, data: Place) -> ContentBlock:
    """Makes a content block of an image.

    Args:
        format: `png`, `jpeg`, `gif` or `webp`.
        data: Its bytes, in base64.

    Returns:
        The block.

    Raises:
        BadRequestError: The format is unknown, or the bytes are too many or of another format.
    """
    name = format.one_of(_IMAGES)
    content: ImageContent = {"format": name, "source": {"bytes": _bytes(data, MAXIMUM_IMAGE_BYTES)}}  # type: ignore[typeddict-item]
    _check(data, content["source"]["bytes"], name, _IMAGES[name])
    return {"image": content}


def document(format: Place, name: Place, data: Place) -> ContentBlock:
    """Makes a content block of a document.

    Args:
        format: `csv`, `doc`, `docx`, `html`, `md`, `pdf`, `txt`, `xls` or `xlsx`.
        name: What the model is told that it is called; may be null.
        data: Its bytes, in base64.

    Returns:
        The block.

    Raises:
        BadRequestError: The format is unknown, the name is none that Bedrock takes, or the bytes are too many or of
            another format.
    """
    kind = format.one_of(_DOCUMENTS)
    rule = "1 to 200 letters, digits, hyphens, brackets, and single spaces between them"
    content = _bytes(data, MAXIMUM_DOCUMENT_BYTES)
    _check(data, content, kind, _DOCUMENTS[kind])
    known = name_of_content(content) if name.value is None else name.matching(_NAME, rule)
    made: DocumentContent = {"format": kind, "name": known, "source": {"bytes": content}}  # type: ignore[typeddict-item]
    return {"document": made}


def data_url(place: Place) -> tuple[Place, Place]:
    """Takes a `data:` URL apart.

    Args:
        place: The URL.

    Returns:
        The format, as a content block names it, and the bytes in base64.

    Raises:
        BadRequestError: It is another URL, or of a type that is no image and no document.
    """
    url = place.value
    if not isinstance(url, str):
        place.refuse("must be a data: URL.")
    found = _DATA_URL.match(url)
    if not found:
        place.refuse("must be a URL such as data:image/png;base64,...: the agent fetches nothing from an address.")
    media_type = found.group(1).lower()
    if media_type not in _MEDIA_TYPES:
        place.refuse(f"must be of one of the types {', '.join(_MEDIA_TYPES)}.")
    return type(place)(place.path, _MEDIA_TYPES[media_type]), type(place)(place.path, url[found.end() :])


def name_of_file(filename: str) -> str:
    """Makes a document's name, as Bedrock takes it, of a file's.

    Args:
        filename: Such as `high_water (2026).pdf`.

    Returns:
        The name without its ending and with hyphens for what Bedrock does not take.
    """
    stem = filename.rpartition(".")[0] or filename
    return _NOT_IN_NAMES.sub("-", stem)[:_LONGEST_NAME].strip("-") or _UNNAMED


def name_of_content(content: bytes) -> str:
    """Makes a name for a document that has none.

    Args:
        content: Its bytes.

    Returns:
        A name that says nothing, and another one for each content.
    """
    return f"{_UNNAMED}-{hashlib.sha256(content).hexdigest()[:8]}"


def _bytes(data: Place, maximum: int) -> bytes:
    text = data.value
    if not isinstance(text, str):
        data.refuse("must be a text of base64.")
    # Four characters for three bytes: too much is known before it is decoded. Tools break lines of base64.
    if len(text) * 3 // 4 > maximum * 1.1:
        data.refuse(f"is larger than {maximum} bytes.")
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        data.refuse("is no valid base64.")
    if not content:
        data.refuse("is empty.")
    if len(content) > maximum:
        data.refuse(f"is larger than {maximum} bytes.")
    return content


def _check(data: Place, content: bytes, format: str, mark: bytes) -> None:
    # A PDF may begin with something else ("Document management", ISO 32000-1, annex H).
    begins = mark in content[:1024] if format == "pdf" else content.startswith(mark)
    if not begins or (format == "webp" and content[8:12] != b"WEBP"):
        data.refuse(f"is no {format}: its first bytes are those of something else.")
