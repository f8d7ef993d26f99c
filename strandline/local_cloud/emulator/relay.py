# mypy: disable-error-code="import-not-found"

"""Carry one request to a process on this machine and its answer back, piece by piece as it comes.

On the emulator's own loop, without a thread for what waits: a load balancer keeps dozens of streams open at once, and
what is relayed waits for processes that ask this cloud meanwhile, for a secret, say.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import h11

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_CHUNK = 64 * 1024
_CONNECT_SECONDS = 5.0
HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})
"""Headers of one connection, which is not the next one's."""


class Unreachable(Exception):
    """Raised when the process does not answer; `timed_out` tells whether it said nothing for too long."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


@dataclass
class Upstream:
    """An answer whose head has come."""

    status: int
    headers: list[tuple[str, str]]
    _connection: _Connection

    async def read(self) -> bytes:
        """The next piece; empty at the end.

        Raises:
            OSError: The connection broke, or nothing came for too long.
            h11.RemoteProtocolError: The answer is cut off.
        """
        while True:
            event = await self._connection.next_event()
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                return b""

    def close(self) -> None:
        """End the connection; a read that waits returns at once."""
        self._connection.close()


class _Connection:
    """One connection for one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self._reader, self._writer, self._timeout = reader, writer, timeout
        self._protocol = h11.Connection(h11.CLIENT)

    def write(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> None:
        sent = [(name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP]
        if body is not None:
            sent.append(("content-length", str(len(body))))
        events = [h11.Request(method=method, target=path, headers=sent), h11.EndOfMessage()]
        if body:
            events.insert(1, h11.Data(data=body))
        self._writer.write(b"".join(self._protocol.send(event) or b"" for event in events))

    async def next_event(self) -> Any:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(self._timeout):
                self._protocol.receive_data(await self._reader.read(_CHUNK))
        return event

    def close(self) -> None:
        self._writer.transport.abort()


async def open_upstream(
    address: tuple[str, int], method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
) -> Upstream:
    """Send the request and wait for the head of the answer.

    Args:
        address: Where the process listens.
        method: The request's method.
        path: Its path, with the query.
        body: Its body; None where it has none.
        headers: Its headers; the body's length is added.
        timeout: Longest wait for the head and for each piece, in seconds.

    Returns:
        The answer, which the caller closes.

    Raises:
        Unreachable: The connection was refused or broke, or the process said nothing for too long.
    """
    connection: _Connection | None = None
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(*address)
        connection = _Connection(reader, writer, timeout)
        connection.write(method, path, body, headers)
        # What comes before the answer's head is information only.
        while not isinstance(head := await connection.next_event(), h11.Response):
            if isinstance(head, h11.ConnectionClosed):
                raise Unreachable("it closed the connection without an answer")
    except BaseException as fault:
        if connection:
            connection.close()
        if isinstance(fault, OSError | h11.ProtocolError):
            reason = str(fault) or type(fault).__name__
            raise Unreachable(reason, timed_out=isinstance(fault, TimeoutError)) from fault
        raise
    given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
    return Upstream(head.status_code, given, connection)


async def stream(upstream: Upstream, send: Send, receive: Receive) -> None:
    """Send the body as it comes; a client that goes away ends the upstream connection too.

    A body that is cut off gets no end here either, so that the client sees that.
    """
    watch = asyncio.create_task(_close_when_gone(upstream, receive))
    with contextlib.suppress(OSError, h11.RemoteProtocolError):
        try:
            while data := await upstream.read():
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watch.cancel()
            upstream.close()


async def _close_when_gone(upstream: Upstream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    upstream.close()
