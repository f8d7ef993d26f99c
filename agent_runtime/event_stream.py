"""The agent's events as server-sent events.

The SDK runs a handler on a loop of its own, and would carry the events of a generator over to the server's loop through
a thread that waits for each: when the caller leaves, that thread goes on waiting for an event that a silent model may
not send for minutes. Here nobody waits in a thread, so a caller who leaves ends the model's call at once.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

from agent_runtime.failures import Failure, failure_of
from agent_runtime.handover import Handover

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from starlette.types import Receive, Scope, Send

# Events that may wait for a slow caller before the agent does.
_AHEAD = 64

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(value: object) -> bytes:
    """Writes JSON.

    Args:
        value: What to write; it holds nothing that JSON does not know.

    Returns:
        UTF-8. Half a surrogate pair, as models send when they break an emoji in two, stays escaped.
    """
    return _encode(value).encode("utf-8", "backslashreplace")


def json_response(value: object, status: int = 200) -> Response:
    """Makes a response of JSON.

    Args:
        value: The body.
        status: The HTTP status.

    Returns:
        The response.
    """
    return Response(to_json(value), status_code=status, media_type="application/json")


class EventStream:
    """Events of one invocation, produced on the loop that made this object and read from any other.

    Args:
        events: What the agent does. It runs in one task from its first event to its last.
    """

    def __init__(self, events: AsyncGenerator[dict[str, Any]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: Handover[dict[str, Any] | Failure | None] = Handover(_AHEAD)
        self._producer = self._loop.create_task(self._produce(events))

    async def first(self) -> dict[str, Any] | Failure | None:
        """Waits for the first event, on the loop that made this object.

        Returns:
            The event; what went wrong if there is none.
        """
        try:
            (event,) = await self._waiting.take(1)
        except BaseException:
            self._producer.cancel()
            raise
        return event

    def response(self, first: dict[str, Any] | Failure | None) -> Response:
        """Makes the response that streams the events.

        Args:
            first: The event that was taken by `first`.

        Returns:
            A response of server-sent events; it ends the agent if its caller leaves.
        """
        return _EventResponse(self, first)

    async def lines(self, first: dict[str, Any] | Failure | None) -> AsyncIterator[bytes]:
        """Writes the events as a response's body, on the server's loop.

        Args:
            first: The event that was taken by `first`.

        Yields:
            Lines of server-sent events, as many as have come.
        """
        events: list[dict[str, Any] | Failure | None] = [first]
        while True:
            if told := b"".join(_line(event) for event in events if event is not None):
                yield told
            if events[-1] is None:
                return
            events = await self._waiting.take()

    def end(self) -> None:
        """Ends the agent, from any loop; does nothing when it has ended by itself."""
        self._loop.call_soon_threadsafe(self._producer.cancel)

    async def _produce(self, events: AsyncGenerator[dict[str, Any]]) -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    await self._waiting.put(event)
        except Exception as error:
            await self._waiting.put(failure_of(error))
        await self._waiting.put(None)


class _EventResponse(StreamingResponse):
    def __init__(self, stream: EventStream, first: dict[str, Any] | Failure | None) -> None:
        super().__init__(stream.lines(first), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not by a group of tasks of which one waits for the caller to leave: RequestGuard does.
        try:
            await self.stream_response(send)
        finally:
            self._stream.end()


def _line(event: dict[str, Any] | Failure) -> bytes:
    return b"data: %b\n\n" % to_json(event.as_event() if isinstance(event, Failure) else event)
