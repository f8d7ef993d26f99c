"""Around each request for inference: refusals get their body and headers, and its line is written.

It is an ASGI middleware and not a hook, because LiteLLM has none for what authentication refuses: a budget that is
spent is refused there, and its error would have neither headers nor a place for its owner.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from gateway.proxy.exchange import Exchange, exchange
from gateway.proxy.paths import is_inference

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.proxy.refusals import Refusal

_BAD_REQUEST = 400
# LiteLLM counts an answer a moment after it was sent; a stream that its caller left, perhaps never.
_PATIENCE_SECONDS = 10.0
_NOT_OF_A_REFUSAL = ("content-length", "content-type", "rate_limit_type", "reset_at")


class ExchangeMiddleware:
    """The middleware.

    Args:
        app: What it stands in front of.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection, as ASGI has it."""
        if scope["type"] != "http" or not is_inference(scope["path"]):
            await self._app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        current = Exchange(started=loop.time())
        token = exchange.set(current)

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                current.status, current.first_byte = message["status"], loop.time()
                if current.refusal and current.status >= _BAD_REQUEST:
                    await _refuse(send, message, current.refusal)
                    current.status = current.refusal.status
                    return
            elif current.refusal and current.status >= _BAD_REQUEST:
                return
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            exchange.reset(token)
            current.ended = loop.time()
            if scope["method"] == "POST":
                if current.is_complete:
                    current.tell()
                else:
                    loop.call_later(_PATIENCE_SECONDS, current.tell)


async def _refuse(send: Send, message: Message, refusal: Refusal) -> None:
    body = json.dumps(refusal.body()).encode()
    headers = MutableHeaders(raw=list(message["headers"]))
    for name in _NOT_OF_A_REFUSAL:
        del headers[name]
    headers.update(refusal.headers(datetime.now(UTC)))
    headers["content-type"] = "application/json"
    headers["content-length"] = str(len(body))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})
