"""A local receiver of traces by OTLP over HTTP, which decodes what arrives.

with OtlpCollector() as collector:
    collector.endpoint                      # what `observability.otlp.endpoint` takes
    collector.answer(503, 503)              # the next answers; 200 afterwards
    ...                                     # let the code under test send
    collector.wait_for_spans(3)             # or fail after 30 s
    collector.spans[0].attributes, .resource, .trace_id, .parent_id, .events
    collector.posts[0].headers, .path, .body
"""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Post:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    """Decompressed."""


@dataclass(frozen=True)
class SentSpan:
    """A span as it arrived."""

    name: str
    scope: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    failed: bool
    status_message: str


class OtlpCollector:
    """The receiver; a context manager."""

    def __init__(self):
        self.posts: list[Post] = []
        self.spans: list[SentSpan] = []
        self._answers: list[int] = []
        self.retry_after: str | None = None
        self.rejects = 0
        self._changed = threading.Condition()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.005})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def answer(self, *statuses):
        """Gives these statuses to the next posts, and 200 to those after them."""
        self._answers = list(statuses)

    def wait_for_posts(self, count, seconds=30):
        self._wait(lambda: len(self.posts) >= count, seconds, f"{count} posts")

    def wait_for_spans(self, count, seconds=30):
        self._wait(lambda: len(self.spans) >= count, seconds, f"{count} spans")

    def spans_of(self, name):
        """The spans of a name, in the order of their end."""
        return [span for span in self.spans if span.name == name]

    def take(self, post):
        """Keeps a post and chooses the status of its answer."""
        with self._changed:
            status = self._answers.pop(0) if self._answers else 200
            self.posts.append(post)
            if status == 200:
                self.spans += _spans(ExportTraceServiceRequest.FromString(post.body))
            self._changed.notify_all()
        return status

    def _wait(self, done, seconds, what):
        with self._changed:
            assert self._changed.wait_for(done, seconds), f"{what} did not come: {len(self.posts)}, {len(self.spans)}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.owner.take(Post(self.path, headers, body))
        partial = ExportTracePartialSuccess(rejected_spans=self.server.owner.rejects)
        answer = ExportTraceServiceResponse(partial_success=partial).SerializeToString() if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        if status in (429, 503) and self.server.owner.retry_after is not None:
            self.send_header("Retry-After", self.server.owner.retry_after)
        if status in (301, 307):
            self.send_header("Location", self.path + "/elsewhere")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format, *args):
        """Keeps the tests' output clean."""


def _spans(request):
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield SentSpan(
                    name=span.name,
                    scope=of_scope.scope.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes=_values(span.attributes),
                    resource=_values(of_resource.resource.attributes),
                    events=[(event.name, _values(event.attributes)) for event in span.events],
                    failed=span.status.code == 2,
                    status_message=span.status.message,
                )


def _values(attributes):
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
