"""The caller's trace: W3C Trace Context and Baggage, taken in with a request and handed on to the model's endpoint.

Without OpenTelemetry this process is no participant of the trace, and hands on what it was given unchanged ("Trace
Context", W3C, "Mutating the traceparent field"). With it, the trace goes on with the span that is current.
"""

from __future__ import annotations

import re
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.datastructures import Headers

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?")
_PRINTABLE = re.compile(r"[\x20-\x7e\t]+")
_LONGEST_TRACEPARENT = 512
# What InvokeAgentRuntime takes of baggage; W3C asks for 512 of tracestate at least.
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A caller's trace.

    Attributes:
        traceparent: The caller's span; nothing where it sent none that is valid.
        tracestate: What the trace's systems said about it.
        baggage: What the caller said about itself.
    """

    traceparent: str | None = None
    tracestate: str | None = None
    baggage: str | None = None

    @classmethod
    def from_headers(cls, headers: Headers) -> TraceContext:
        """Reads the headers of a request.

        Args:
            headers: The request's.

        Returns:
            What is valid of them: `tracestate` is nothing without `traceparent`.
        """
        parents = headers.getlist("traceparent")
        parent = parents[0] if len(parents) == 1 and _is_valid(parents[0]) else None
        state = _joined(headers.getlist("tracestate")) if parent else None
        return cls(parent, state, _joined(headers.getlist("baggage")))


trace_context: ContextVar[TraceContext | None] = ContextVar("trace_context", default=None)
"""Set by a request, for the client at the other end of the agent library."""


def take_in(headers: Headers) -> None:
    """Makes the caller's trace that of the current task, for OpenTelemetry too where that is loaded.

    Args:
        headers: The request's.
    """
    taken = TraceContext.from_headers(headers)
    trace_context.set(taken)
    if taken.traceparent and "opentelemetry.trace" in sys.modules:
        _make_parent(taken)


def outgoing_headers(*, with_baggage: bool) -> dict[str, str]:
    """Gives the headers that hand the trace on.

    Args:
        with_baggage: Whether the receiver may have the baggage; it tells of the caller, and no stranger needs it.

    Returns:
        Headers; none without a trace.
    """
    taken = trace_context.get() or TraceContext()
    parent, state = _current_span(taken) or (taken.traceparent, taken.tracestate)
    sent = {"traceparent": parent, "tracestate": state, "baggage": taken.baggage if with_baggage else None}
    return {name: value for name, value in sent.items() if value}


def _is_valid(traceparent: str) -> bool:
    found = _TRACEPARENT.fullmatch(traceparent)
    if not found or len(traceparent) > _LONGEST_TRACEPARENT:
        return False
    version, trace, span, _, rest = found.groups()
    # Version 00 has four fields; later ones may have more.
    return version != "ff" and not (version == "00" and rest) and bool(trace.strip("0")) and bool(span.strip("0"))


def _joined(values: list[str]) -> str | None:
    joined = ",".join(values)
    return joined if len(joined) <= _LONGEST and _PRINTABLE.fullmatch(joined) else None


def _make_parent(taken: TraceContext) -> None:
    from opentelemetry import context, trace
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

    if trace.get_current_span().get_span_context().is_valid:
        # An instrumentation of the server has read the headers already.
        return
    _, identifier, span, flags = str(taken.traceparent).split("-")[:4]
    parent = SpanContext(
        int(identifier, 16),
        int(span, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=TraceState.from_header([taken.tracestate] if taken.tracestate else []),
    )
    # For the rest of this task, which ends with the request.
    context.attach(trace.set_span_in_context(NonRecordingSpan(parent)))


def _current_span(taken: TraceContext) -> tuple[str, str] | None:
    """OpenTelemetry's current span, if there is one besides the caller's."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import trace

    span = trace.get_current_span().get_span_context()
    if not span.is_valid or f"-{span.trace_id:032x}-{span.span_id:016x}-" in (taken.traceparent or ""):
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}", span.trace_state.to_header()
