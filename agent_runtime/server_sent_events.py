"""Reads server-sent events (WHATWG HTML, "Server-sent events"): the data of each event, whatever its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator


async def data_of(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Gives the data of each event as soon as its blank line has come.

    Args:
        pieces: The body, cut anywhere.

    Yields:
        The `data` fields of an event, joined by line breaks; an event without one is passed over.
    """
    data: list[bytes] = []
    async for line in _lines(pieces):
        if not line:
            if data:
                yield b"\n".join(data)
                data = []
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
    if data:
        # The blank line after the last event is often left out.
        yield b"\n".join(data)


async def _lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    rest: list[bytes] = []
    async for piece in pieces:
        first, *others = piece.split(b"\n")
        rest.append(first)
        for other in others:
            yield b"".join(rest).removesuffix(b"\r")
            rest = [other]
    if last := b"".join(rest):
        yield last.removesuffix(b"\r")
