"""What stands before a protocol's server: bounds of the body, answered as JSON-RPC errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.event_stream import json_response
from agent_runtime.failures import BadRequestError, PayloadTooLargeError, failure_of
from agent_runtime.request_guard import check_payload, read_body, replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

# JSON-RPC 2.0, "Error object".
_PARSE_ERROR = -32700
_INVALID_REQUEST = -32600


class JsonRpcGuard:
    """ASGI middleware for the path that takes JSON-RPC.

    Args:
        app: The protocol's server.
        path: The path.
        status: HTTP status of an error's answer.
        adapt: Makes the server's connection of the caller's and of what it sent.
    """

    def __init__(
        self, app: ASGIApp, *, path: str, status: int, adapt: Callable[[Scope, Any], Scope] = lambda scope, _: scope
    ) -> None:
        self._app = app
        self._path = path
        self._status = status
        self._adapt = adapt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what the server must not see, and passes the rest on.

        Args:
            scope: The connection.
            receive: Gives what the caller sends.
            send: Takes what the caller gets.
        """
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", self._path):
            await self._app(scope, receive, send)
            return
        try:
            body = await read_body(receive)
            if body is None:
                return
            payload = check_payload(body)
        except BadRequestError as error:
            await json_response(error_response(error), self._status)(scope, receive, send)
            return
        await self._app(self._adapt(scope, payload), replay(body, receive), send)


def error_response(error: BadRequestError) -> dict[str, Any]:
    """Writes the answer to a body that is not taken.

    Args:
        error: What is wrong with it.

    Returns:
        A JSON-RPC error; of no request, since its id was not read.
    """
    failure = failure_of(error)
    code = _INVALID_REQUEST if isinstance(error, PayloadTooLargeError) else _PARSE_ERROR
    data = {"type": failure.type, "id": failure.id}
    return {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": failure.message, "data": data}}
