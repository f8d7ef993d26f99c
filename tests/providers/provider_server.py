"""A local HTTP server that is Anthropic, Amazon Bedrock and Vertex AI at once; it records what arrives."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.providers.wires import MODEL_ID, answer
from tests.support.openai_replies import Reply

__all__ = ["MODEL_ID", "ProviderServer", "Request"]


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: Any


class ProviderServer:
    """The server; a context manager.

    Attributes:
        requests: Calls of a model.
        tokens: How many access tokens Google's stand-in gave out.
        status: HTTP status of the answers.
        replies: What the model says, in turn; the last reply stays. One with an HTTP status of its own is refused with
            its `error`.
        delay: Seconds before an answer.
        keys: The keys that are taken; None takes all.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.tokens = 0
        self.status = 200
        self.replies = [Reply(text="High water at six.")]
        self._turn = threading.Lock()
        self.delay = 0.0
        self.keys: tuple[str, ...] | None = None
        self.ended = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = False
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.005})

    def __enter__(self) -> ProviderServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def next_reply(self) -> Reply:
        """Takes the next reply."""
        with self._turn:
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"


def _handler(server: ProviderServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/token":
                server.tokens += 1
                self._send(
                    200, "application/json", json.dumps({"access_token": f"t-{server.tokens}", "expires_in": 3600})
                )
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append(Request(self.path, headers, json.loads(raw)))
            server.ended.wait(server.delay)
            key = headers.get("x-api-key") or headers.get("x-goog-api-key") or ""
            refused = server.keys is not None and key not in server.keys
            self._answer(401 if refused else server.status, server.requests[-1].body)

        def _answer(self, status: int, request: Any) -> None:
            reply = server.next_reply()
            if (status := reply.status if status == 200 else status) != 200:
                error = {"type": "error", "code": status, "status": "FAILED", "message": reply.error}
                body = json.dumps({"type": "error", "error": error, "message": reply.error})
                self._send(status, "application/json", body, reply.headers)
            else:
                self._send(200, *answer(self.path.partition("?")[0], request, reply))

        def _send(self, status: int, kind: str, body: str | bytes, headers: dict[str, str] | None = None) -> None:
            raw = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in {"Content-Type": kind, **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            with contextlib.suppress(OSError):  # who waited has gone: that is what some tests are about
                self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Keeps the tests' output clean."""

    return Handler
