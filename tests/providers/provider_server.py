"""A local HTTP server that is Anthropic, Amazon Bedrock and Vertex AI at once; it records what arrives."""

from __future__ import annotations

import binascii
import contextlib
import json
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL_ID = "answering-model-1"


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
        delay: Seconds before an answer.
        keys: The keys that are taken; None takes all.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.tokens = 0
        self.status = 200
        self.delay = 0.0
        self.keys: tuple[str, ...] | None = None
        self.ended = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = False
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> ProviderServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

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
            self._answer(401 if refused else server.status)

        def _answer(self, status: int) -> None:
            if status != 200:
                error = {"type": "error", "code": status, "status": "FAILED", "message": "The request failed."}
                self._send(status, "application/json", json.dumps({"type": "error", "error": error}))
            elif self.path.endswith("/converse-stream"):
                self._send(200, "application/vnd.amazon.eventstream", b"".join(_bedrock_events()))
            elif self.path.endswith("/converse"):
                self._send(200, "application/json", json.dumps(_BEDROCK))
            elif "generateContent" in self.path or "streamGenerateContent" in self.path:
                self._send(200, "text/event-stream", f"data: {json.dumps(_GEMINI)}\n\n")
            else:
                events = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _ANTHROPIC)
                self._send(200, "text/event-stream", "".join(events))

        def _send(self, status: int, kind: str, body: str | bytes) -> None:
            raw = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            with contextlib.suppress(OSError):  # who waited has gone: that is what some tests are about
                self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Keeps the tests' output clean."""

    return Handler


_USAGE = {"input_tokens": 11, "output_tokens": 7, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2}
_ANTHROPIC = [
    {
        "type": "message_start",
        "message": {
            **{"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL_ID, "content": []},
            **{"stop_reason": None, "stop_sequence": None, "usage": _USAGE},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "High water at six."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    },
    {"type": "message_stop"},
]
_GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "High water at six."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
    "modelVersion": MODEL_ID,
}
_BEDROCK = {
    "output": {"message": {"role": "assistant", "content": [{"text": "High water at six."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18},
    "metrics": {"latencyMs": 1},
}


def _bedrock_events() -> list[bytes]:
    return [
        _frame("messageStart", {"role": "assistant"}),
        _frame("contentBlockDelta", {"delta": {"text": "High water at six."}, "contentBlockIndex": 0}),
        _frame("contentBlockStop", {"contentBlockIndex": 0}),
        _frame("messageStop", {"stopReason": "end_turn"}),
        _frame("metadata", {"usage": _BEDROCK["usage"], "metrics": {"latencyMs": 1}}),
    ]


def _frame(kind: str, payload: dict[str, Any]) -> bytes:
    """A message of AWS's event stream: lengths, headers, payload, checksums."""
    headers = b""
    for name, value in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event")):
        headers += (
            struct.pack(">B", len(name)) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack(">I", binascii.crc32(prelude))
    message = prelude + headers + body
    return message + struct.pack(">I", binascii.crc32(message))
