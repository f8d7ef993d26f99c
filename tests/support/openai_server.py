"""A local OpenAI-compatible server that records what arrives and answers as it is told.

    from tests.support.openai_server import OpenAIServer, Reply, ToolCall

    with OpenAIServer() as server:                       # 127.0.0.1, a free port, its own threads
        server.base_url                                  # http://127.0.0.1:<port>/v1
        server.script("my-model", Reply(text="One"), Reply(text="Two"))   # in turn; the last one stays
        ...                                              # let the code under test ask
        request = server.requests[-1]                    # only POST .../chat/completions is in `requests`
        request.path, request.body["model"], request.header("authorization"), request.headers
        server.wait_for_requests(2)                      # or fail after 30 s
        request.gone.wait(10)                            # set once the client closed before the end of the answer
        server.count_by_key()                            # Counter({"sk-old": 3, "sk-new": 1}); "" without a header

Faults that need no script, for clients in another process: a model that is, or ends in `/` and, a name of
`NAMED_REPLIES` (`fault-429`, `openai/fault-cut`, `fault-hang`, `fault-malformed`, `fault-empty-choices`, `tool-call`),
or that name in the request header `x-reply`. A script comes first.

`server.accept_only("sk-a")` refuses every other key with 401 and, as OpenAI does, quotes it; with
`refuse_as_litellm=True` it answers as a LiteLLM proxy without a database does: 400 `no_db_connection`.

Any path that ends in `/chat/completions` is answered; all others are recorded in `strays` and get 404, so that a
second server shows whether a redirect was followed: `Reply(status=307, headers={"Location": other.base_url})`.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.support.openai_replies import (
    NAMED_REPLIES,
    Reply,
    ToolCall,
    endless_body,
    error_body,
    stream_pieces,
    whole_body,
)

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["NAMED_REPLIES", "OpenAIServer", "RecordedRequest", "Reply", "ToolCall"]

_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it arrived.

    Attributes:
        method: HTTP method.
        path: Path, with its query.
        headers: Names as sent, in order.
        raw: The body.
        connection: The client's port: the same for requests that came over the same connection.
        gone: Set when the client closed the connection before the answer's end.
        arrived: Seconds, by a clock that only grows.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes
    connection: int
    gone: threading.Event = field(default_factory=threading.Event)
    arrived: float = field(default_factory=time.monotonic)

    @property
    def body(self) -> dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.raw)

    @property
    def key(self) -> str:
        """The bearer token, or nothing."""
        return (self.header("authorization") or "").removeprefix("Bearer ")

    def header(self, name: str) -> str | None:
        """A header's value, whatever its capitals; None when it was not sent."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


class OpenAIServer:
    """The server; a context manager.

    Args:
        reply: What it says where no script says otherwise.
        look_seconds: How often a connection that is kept looks whether the server has ended; many of them cost.
    """

    def __init__(self, reply: Reply | None = None, *, look_seconds: float = _LOOK_SECONDS) -> None:
        self.look_seconds = look_seconds
        self.default = reply or Reply()
        self.requests: list[RecordedRequest] = []
        self.strays: list[RecordedRequest] = []
        self.ended = threading.Event()
        self._scripts: dict[str, list[Reply]] = {}
        self._keys: tuple[str, ...] | None = None
        self._refuse_as_litellm = False
        self._changed = threading.Condition()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)

    def __enter__(self) -> OpenAIServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._http.shutdown()
        self._thread.join()
        # Also waits for the threads of requests: none outlives the test.
        self._http.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._http.server_address[1]

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, model: str, *replies: Reply) -> None:
        """Answers a model's requests in turn; the last reply stays."""
        with self._changed:
            self._scripts[model] = list(replies)

    def accept_only(self, *keys: str, refuse_as_litellm: bool = False) -> None:
        """Refuses every request whose key is not among these."""
        with self._changed:
            self._keys, self._refuse_as_litellm = keys, refuse_as_litellm

    def count_by_key(self) -> Counter[str]:
        """How many requests came with each key, those that were refused too."""
        with self._changed:
            return Counter(request.key for request in self.requests)

    def wait_for_requests(self, count: int, seconds: float = 30) -> None:
        """Waits until this many requests have arrived in all."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.requests) >= count, seconds)
            assert arrived, f"{len(self.requests)} of {count} requests came within {seconds} s"

    def record(self, request: RecordedRequest) -> Reply | None:
        """Keeps a request and finds its reply; None for an address that is not served."""
        served = request.method == "POST" and request.path.partition("?")[0].endswith("/chat/completions")
        with self._changed:
            (self.requests if served else self.strays).append(request)
            reply = self._reply_to(request) if served else None
            self._changed.notify_all()
        return reply

    def _reply_to(self, request: RecordedRequest) -> Reply:
        if self._keys is not None and request.key not in self._keys:
            return self._refusal(request.key)
        model = str(request.body.get("model", ""))
        script = self._scripts.get(model)
        if script:
            return script.pop(0) if len(script) > 1 else script[0]
        named = request.header("x-reply") or model.rpartition("/")[2]
        return NAMED_REPLIES.get(named, self.default)

    def _refusal(self, key: str) -> Reply:
        if self._refuse_as_litellm:
            return Reply(status=400, raw=error_body("No connected db.", "400", "no_db_connection"))
        return Reply(status=401, raw=error_body(f"Incorrect API key provided: {key}.", "invalid_api_key"))


class _Http(ThreadingHTTPServer):
    owner: OpenAIServer
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a client that went away; that is what some tests are about."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def handle(self) -> None:
        # A kept-alive connection ends with the server, not with the client's patience.
        self.close_connection = False
        while not self.close_connection and self._next_request_is_here():
            self.handle_one_request()

    def do_POST(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps the tests' output clean."""

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = RecordedRequest(self.command, self.path, tuple(self.headers.items()), raw, self.client_address[1])
        reply = self.server.owner.record(request)
        if reply is None:
            self._send_whole(404, {}, error_body(f"There is nothing at {self.path}."))
            return
        try:
            self._answer(request, reply)
        except OSError:
            request.gone.set()
            self.close_connection = True

    def _answer(self, request: RecordedRequest, reply: Reply) -> None:
        self.server.owner.ended.wait(reply.delay)
        if not self._may_go_on(request, reply, 0):
            return
        is_stream = request.body.get("stream") and reply.status == 200
        if not is_stream and not reply.endless:
            self._send_whole(reply.status, reply.headers, whole_body(reply, request.body))
            return
        kind = "text/event-stream" if is_stream else "application/json"
        self._send_head(reply.status, {"Content-Type": kind, "Transfer-Encoding": "chunked", **reply.headers})
        pieces = stream_pieces(reply, request.body) if is_stream else endless_body(reply)
        for sent, piece in enumerate(pieces, start=1):
            self.server.owner.ended.wait(reply.pause)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"")
            if not self._may_go_on(request, reply, sent):
                return
        self.wfile.write(b"0\r\n\r\n")

    def _may_go_on(self, request: RecordedRequest, reply: Reply, sent: int) -> bool:
        if reply.cut_after == sent:
            self._cut()
            return False
        if reply.stop_after != sent:
            return True
        while not (reply.until and reply.until.is_set()):
            if self.server.owner.ended.is_set() or self._client_is_gone():
                request.gone.set()
                self.close_connection = True
                return False
            (reply.until or self.server.owner.ended).wait(_LOOK_SECONDS)
        return True

    def _send_whole(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._send_head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers})
        self.wfile.write(body)

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _client_is_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _next_request_is_here(self) -> bool:
        while not self.server.owner.ended.is_set():
            if select.select([self.connection], [], [], self.server.owner.look_seconds)[0]:
                return True
        return False
