"""`/ws`: several turns over one connection. A message is a payload of `/invocations`; each event comes as a message.

Each turn is a request of its own to this very application, so all that is true of `POST /invocations` is true here:
its bounds, its loop, its end when the caller leaves. What speaks WebSocket is imported when the first one comes.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.websockets import WebSocketDisconnect

from agent_runtime.caller import SESSION_HEADER
from agent_runtime.event_stream import to_json
from agent_runtime.failures import failure_of
from agent_runtime.request_guard import replay, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Scope
    from starlette.websockets import WebSocket

# Messages that may wait for the turn before them; what comes then waits in the connection.
_WAITING = 16

_EVENT_STREAM = "text/event-stream"
_END_OF_EVENT = b"\n\n"
_BEFORE_EVENT = b"data: "


def websocket_protocol(**given: Any) -> asyncio.Protocol:
    """Makes what speaks WebSocket for uvicorn, and imports it only now."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    return WebSocketsSansIOProtocol(**given)


async def serve_turns(websocket: WebSocket) -> None:
    """Answers the messages of a connection one after the other, until its caller closes it.

    Args:
        websocket: The connection.
    """
    await websocket.accept()
    headers = MutableHeaders(raw=list(websocket.scope["headers"]))
    # One connection is one conversation.
    headers.setdefault(SESSION_HEADER, str(uuid.uuid4()))
    headers["accept"] = _EVENT_STREAM
    messages: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
    gone = asyncio.Event()
    reader = asyncio.ensure_future(_read(websocket, messages, gone))
    closed = asyncio.ensure_future(gone.wait())
    try:
        while True:
            following = asyncio.ensure_future(messages.get())
            await asyncio.wait((following, closed), return_when=asyncio.FIRST_COMPLETED)
            if gone.is_set():
                following.cancel()
                return
            await _Turn(websocket, headers, following.result(), gone).run()
    finally:
        for task in (reader, closed):
            task.cancel()
        await asyncio.gather(reader, closed, return_exceptions=True)


async def _read(websocket: WebSocket, messages: asyncio.Queue[bytes], gone: asyncio.Event) -> None:
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            await messages.put(message["bytes"] if text is None else text.encode())
    finally:
        gone.set()


class _Turn:
    """One message and its answer, as a request to the application itself."""

    def __init__(self, websocket: WebSocket, headers: MutableHeaders, body: bytes, gone: asyncio.Event) -> None:
        self._websocket = websocket
        self._headers = headers
        self._receive = replay(body, until(gone))
        self._gone = gone
        self._streams = False
        self._received = b""

    async def run(self) -> None:
        app = self._websocket.scope["app"]
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception as error:
            await self._tell(to_json(failure_of(error).as_event()))

    def _scope(self) -> Scope:
        connection = self._websocket.scope
        return {
            **{name: connection[name] for name in ("asgi", "client", "server") if name in connection},
            **{"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "root_path": ""},
            **{"path": "/invocations", "raw_path": b"/invocations", "query_string": b""},
            **{"headers": list(self._headers.raw), "state": {}},
        }

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = MutableHeaders(raw=list(message["headers"])).get("content-type", "")
            self._streams = kind.startswith(_EVENT_STREAM)
            return
        self._received += message.get("body", b"")
        for event in self._events() if self._streams else ():
            await self._tell(event)
        if not self._streams and not message.get("more_body", False):
            await self._tell(self._received)

    def _events(self) -> Iterator[bytes]:
        *whole, self._received = self._received.split(_END_OF_EVENT)
        for event in whole:
            yield event.removeprefix(_BEFORE_EVENT)

    async def _tell(self, event: bytes) -> None:
        if self._gone.is_set():
            return
        try:
            await self._websocket.send_text(event.decode())
        except (WebSocketDisconnect, RuntimeError):
            # The caller is gone before the reader has heard of it; the turn ends by that.
            self._gone.set()
