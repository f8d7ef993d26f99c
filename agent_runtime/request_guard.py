"""What stands before the SDK: bounds of the payload, and an end for the work of a caller who left.

The SDK reads a body of any size, answers 500 when its JSON nests too deep, and works on for a caller who is gone.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from agent_runtime.event_stream import json_response
from agent_runtime.failures import BadRequestError, PayloadTooLargeError, failure_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from agent_runtime.health import Health

MAXIMUM_BODY_BYTES = 16 * 1024 * 1024
MAXIMUM_DEPTH = 64
# Brackets and commas, also those in texts. The loop stands still while JSON is decoded: without a bound, 16 MB of empty
# lists would hold up every session and `/ping` for five seconds.
MAXIMUM_PARTS = 500_000


class RequestGuard:
    """ASGI middleware for `POST /invocations`.

    Args:
        app: The SDK's application.
        health: Told of each invocation, until its answer's end.
    """

    def __init__(self, app: ASGIApp, health: Health) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what the SDK must not see, and passes the rest on.

        Args:
            scope: The connection.
            receive: Gives what the caller sends.
            send: Takes what the caller gets.
        """
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/invocations"):
            await self._app(scope, receive, send)
            return
        try:
            body = await read_body(receive)
            if body is None:
                return
            check_payload(body)
        except BadRequestError as error:
            failure = failure_of(error)
            await json_response(failure.as_event(), failure.status)(scope, receive, send)
            return
        with ExitStack() as working:
            working.enter_context(self._health.working())
            await _Exchange(self._app, scope, body, receive, send, working).run()


class _Exchange:
    """One request that may be answered, until it is or its caller leaves."""

    def __init__(
        self, app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send, working: ExitStack
    ) -> None:
        self._app = app
        self._working = working
        self._scope = scope
        self._caller_receive = receive
        self._caller_send = send
        self._gone = asyncio.Event()
        self._receive = replay(body, until(self._gone))
        self._answered = False

    async def run(self) -> None:
        answer = asyncio.ensure_future(self._app(self._scope, self._receive, self._send))
        watch = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait((answer, watch), return_when=asyncio.FIRST_COMPLETED)
            # The server also says "disconnect" when the answer is complete.
            if answer.done() or self._answered:
                await answer
        finally:
            for task in (watch, answer):
                task.cancel()
            await asyncio.wait((watch, answer))

    async def _watch(self) -> None:
        while (await self._caller_receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def _send(self, message: Message) -> None:
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last:
            # Before the caller has the answer: who then asks for the health hears that the work is done.
            self._working.close()
        await self._caller_send(message)
        self._answered = is_last


async def read_body(receive: Receive) -> bytes | None:
    """Reads the body of a request.

    Args:
        receive: Gives what the caller sends.

    Returns:
        The body; nothing if the caller left before its end.

    Raises:
        PayloadTooLargeError: It is too large. The rest is read and dropped: a caller who is still sending would not
            see the answer.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size <= MAXIMUM_BODY_BYTES:
            parts.append(part)
        if not message.get("more_body", False):
            break
    if size > MAXIMUM_BODY_BYTES:
        raise PayloadTooLargeError(f"The payload is larger than {MAXIMUM_BODY_BYTES} bytes.")
    return b"".join(parts)


def replay(body: bytes, then: Receive) -> Receive:
    """Gives a body again that was read already.

    Args:
        body: The body.
        then: Gives what comes after it.

    Returns:
        What a server reads the request by.
    """
    unread = [body]

    async def again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await then()

    return again


def until(gone: asyncio.Event) -> Receive:
    """Gives the end of a connection once its caller has left.

    Args:
        gone: Set when the caller has left.

    Returns:
        What a server waits for that end by.
    """

    async def disconnect() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    return disconnect


def check_payload(body: bytes) -> Any:
    """Refuses what a server would stumble over.

    Args:
        body: What the caller sent.

    Returns:
        Its JSON.

    Raises:
        BadRequestError: The body is no JSON, nests too deep, or has too many parts.
    """
    brackets = body.count(b"[") + body.count(b"{")
    if brackets + body.count(b",") > MAXIMUM_PARTS:
        raise BadRequestError(f"The payload has more than {MAXIMUM_PARTS} brackets and commas.")
    try:
        payload = json.loads(body)
    except UnicodeDecodeError:
        raise BadRequestError("The payload is not UTF-8.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequestError(f"The payload is not JSON: {error.msg} at {where}.") from None
    except (RecursionError, ValueError):
        # A ValueError that is no decoding error: a number of thousands of digits.
        raise BadRequestError("The payload is JSON that nests too deep or holds too long a number.") from None
    if brackets > MAXIMUM_DEPTH and _is_deeper_than(MAXIMUM_DEPTH, payload):
        raise BadRequestError(f"The payload nests deeper than {MAXIMUM_DEPTH} levels.")
    return payload


def _is_deeper_than(depth: int, value: Any) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [
            below
            for node in level
            if isinstance(node, dict | list)
            for below in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True
