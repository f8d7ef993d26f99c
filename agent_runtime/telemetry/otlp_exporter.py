"""Sends spans by OTLP over HTTP ("OTLP/HTTP", OpenTelemetry Protocol Specification), from a thread of its own.

The SDK's own exporter takes its headers when it is made, from a plain environment variable. Here a key is read from the
secrets for each batch, so that none is in the snapshot, and a rotation reaches the traces too.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import random
import threading
from typing import TYPE_CHECKING, Any

import httpx
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from agent_runtime.errors import StrandlineError
from agent_runtime.telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from agent_runtime.providers.leases import CredentialReader, Credentials
    from agent_runtime.telemetry.destinations import TraceDestination

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0
# "Failures": these the specification calls retryable.
_RETRYABLE = frozenset({429, 502, 503, 504})
_FORBIDDEN = frozenset({401, 403})
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0


class OtlpExporter(SpanExporter):
    """Posts spans to one receiver. What cannot be delivered is counted, said once for a batch, and dropped.

    Args:
        destination: The receiver.
        reader: Reads the values of its secret headers.
        clean: Takes out of a span what must not leave.
    """

    def __init__(
        self, destination: TraceDestination, reader: CredentialReader, clean: Callable[[ReadableSpan], ReadableSpan]
    ) -> None:
        self._destination = destination
        self._reader = reader
        self._clean = clean
        self._client: httpx.Client | None = None
        self._aws: Any = None
        self._ending = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends a batch; the SDK calls it from the thread of its processor.

        Args:
            spans: Ended spans.

        Returns:
            Whether the receiver has them.
        """
        try:
            body = gzip.compress(encode_spans([self._clean(span) for span in spans]).SerializeToString(), mtime=0)
            fault = self._deliver(body)
        except StrandlineError as error:
            fault = str(error)
        except Exception as error:
            # Not its text: it may hold the headers.
            fault = type(error).__name__
        if fault is None:
            return SpanExportResult.SUCCESS
        metrics.count("SpansDropped", len(spans))
        logger.warning("spans=<%d>, receiver=<%s> | dropped: %s", len(spans), self._host, fault)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Ends the connections, and does not wait for another try."""
        self._ending.set()
        if self._client:
            self._client.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Has nothing to flush: what was given to `export` is sent when it returns."""
        return True

    @property
    def _host(self) -> str:
        return httpx.URL(self._destination.url).host

    def _deliver(self, body: bytes) -> str | None:
        """Posts a batch until it is taken; tells why not, if not."""
        credentials = self._credentials()
        reread = False
        fault = ""
        for attempt in range(_TRIES):
            pause = min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
            try:
                response = self._post(body, credentials)
            except httpx.TransportError as error:
                fault = f"it cannot be reached ({type(error).__name__})"
            else:
                if response.is_success:
                    return _refused(response)
                fault = f"it answered with HTTP status {response.status_code}"
                if response.status_code in _FORBIDDEN and credentials and not reread:
                    credentials, reread = asyncio.run(self._reader.reread(credentials)), True
                    continue
                if response.status_code not in _RETRYABLE:
                    return fault
                pause = _asked_pause(response) or pause
            # Spread, so that the sessions of an agent do not come back all at once.
            if attempt == _TRIES - 1 or self._ending.wait(pause * random.SystemRandom().uniform(0.8, 1.2)):
                return fault
        return fault

    def _credentials(self) -> Credentials | None:
        return asyncio.run(self._reader.read()) if self._destination.headers_env else None

    def _post(self, body: bytes, credentials: Credentials | None) -> httpx.Response:
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            **self._destination.headers,
            **(credentials.headers if credentials else {}),
        }
        if self._destination.region:
            headers = self._signed(headers, body, self._destination.region)
        if self._client is None:
            # A redirect to another host would take the headers along.
            self._client = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)
        return self._client.post(self._destination.url, content=body, headers=headers)

    def _signed(self, headers: dict[str, str], body: bytes, region: str) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import Session

        if self._aws is None:
            # A session of its own, made in a request's time: the snapshot has no credentials.
            self._aws = Session().get_credentials()
        if self._aws is None:
            raise _NoCredentialsError("there are no AWS credentials to sign with")
        request = AWSRequest("POST", self._destination.url, headers=headers, data=body)
        SigV4Auth(self._aws.get_frozen_credentials(), "xray", region).add_auth(request)
        return dict(request.headers.items())


class _NoCredentialsError(StrandlineError):
    """Raised when a post cannot be signed."""


def _refused(response: httpx.Response) -> str | None:
    """Tells of spans that a receiver refused although it took the batch."""
    if not response.content or "protobuf" not in response.headers.get("content-type", ""):
        return None
    rejected = ExportTraceServiceResponse.FromString(response.content).partial_success.rejected_spans
    return f"it refused {rejected} spans of the batch" if rejected else None


def _asked_pause(response: httpx.Response) -> float | None:
    """How long the receiver asks to wait; within bounds, because the spans of a session wait behind."""
    told = response.headers.get("retry-after", "")
    return min(float(told), _LONGEST_PAUSE_SECONDS) if told.isdecimal() else None
