"""A real MCP server over streamable HTTP on a loopback port, behind a check of a key."""

from __future__ import annotations

from tests.support.served_app import ServedApp
from tests.tools.programs.tide_server import make_server


class McpHttpServer:
    """The server; a context manager.

    Attributes:
        key: What it wants as X-Api-Key.
        headers: Headers of every request, names in small letters.
        requests: The same with `method` and `body`.
        redirect: Where every request is sent on to, if anywhere.
    """

    def __init__(self, key, port=0):
        self.key = key
        self.headers = []
        self.requests = []
        self.redirect = None
        self._wanted_port = port

    def __enter__(self):
        self._app = make_server().streamable_http_app()
        self._served = ServedApp(
            self._guarded,
            port=self._wanted_port,
            lifespan="on",
            ws="none",
            interface="asgi3",
            timeout_graceful_shutdown=1,
        )
        self.port, self.url = self._served.port, f"{self._served.url}/mcp"
        return self

    def __exit__(self, *_):
        self._served.stop()

    async def _guarded(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.headers.append(headers)
        request = {"method": scope["method"], "headers": headers, "body": b""}
        self.requests.append(request)

        async def read():
            message = await receive()
            request["body"] += message.get("body", b"")
            return message

        if self.redirect:
            await _answer(send, 307, b"", [(b"location", self.redirect.encode())])
        elif headers.get("x-api-key") != self.key:
            # As servers do, it quotes what it refuses.
            await _answer(send, 401, f"the key {headers.get('x-api-key')} is wrong".encode(), [])
        else:
            await self._app(scope, read, send)


async def _answer(send, status, body, headers):
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})
