"""Carry one request to a process on this machine and its answer back, piece by piece as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_CHUNK = 64 * 1024
_CONNECT_SECONDS = 5.0
# Not MiniStack's own threads: what is relayed waits for processes that ask this cloud meanwhile, for a secret, say.
_THREADS = ThreadPoolExecutor(1000, thread_name_prefix="relay")


class Unreachable(Exception):
    """Raised when the process does not answer."""


@dataclass
class Upstream:
    """An answer whose head has come."""

    status: int
    headers: Mapping[str, str]
    _response: http.client.HTTPResponse
    _connection: http.client.HTTPConnection
    _socket: socket.socket

    def read(self) -> bytes:
        """The next piece; empty at the end."""
        return self._response.read1(_CHUNK)

    def close(self) -> None:
        """End the connection; a read that waits returns at once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._socket.close()
        self._connection.close()


async def open_upstream(
    port: int, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float
) -> Upstream:
    """Send the request and wait for the head of the answer; without a body it is a GET.

    Raises:
        Unreachable: The connection was refused or broke, or the process said nothing for too long.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _open, port, path, body, headers, timeout)


def _open(port: int, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Upstream:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CONNECT_SECONDS)
    try:
        connection.connect()
        # Kept: http.client forgets the socket of an answer that is to be read to its end.
        plain = connection.sock
        plain.settimeout(timeout)
        connection.request("GET" if body is None else "POST", path, body=body, headers=dict(headers))
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as fault:
        connection.close()
        raise Unreachable(str(fault) or type(fault).__name__) from fault
    names = {name.lower(): value for name, value in response.getheaders()}
    return Upstream(response.status, names, response, connection, plain)


async def stream(upstream: Upstream, send: Send, receive: Receive) -> None:
    """Send the body as it comes; a client that goes away ends the upstream connection too."""
    gone: asyncio.Future[Any] = asyncio.create_task(_disconnect(receive))
    loop = asyncio.get_running_loop()
    try:
        while True:
            piece: asyncio.Future[Any] = loop.run_in_executor(_THREADS, upstream.read)
            await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                upstream.close()
                with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                    await piece
                return
            data = await piece
            if not data:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            await send({"type": "http.response.body", "body": data, "more_body": True})
    finally:
        gone.cancel()
        upstream.close()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
