"""The caller's trace reaches the model's endpoint: unchanged, or as the span that OpenTelemetry has made current."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from starlette.datastructures import Headers

from agent_runtime.trace_context import TraceContext, outgoing_headers, take_in
from tests.runtime.handler import SESSION, SESSION_HEADER

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def _headers(**values):
    return Headers(raw=[(name.encode(), value.encode()) for name, value in values.items()])


def _sent(headers, *, with_baggage=False):
    async def run():
        take_in(headers)
        return outgoing_headers(with_baggage=with_baggage)

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_trace_reaches_the_models_endpoint_unchanged(handler, endpoint, stream):
    headers = {SESSION_HEADER: SESSION, "traceparent": PARENT, "tracestate": "vendor=1,other=2", "baggage": "user=ada"}

    handler.client.post("/invocations", json={"prompt": "Hello", "stream": stream}, headers=headers)

    sent = endpoint.requests[0]
    assert (sent.header("traceparent"), sent.header("tracestate")) == (PARENT, "vendor=1,other=2")
    # The endpoint is a stranger, and the baggage tells of the caller.
    assert sent.header("baggage") is None


def test_request_without_a_trace_sends_none(handler, endpoint):
    handler.client.post("/invocations", json={"prompt": "Hello"}, headers={"traceparent": PARENT})
    handler.ask()

    assert [request.header("traceparent") for request in endpoint.requests] == [PARENT, None]


def test_traces_of_requests_at_once_do_not_mix():
    async def ask(number):
        take_in(_headers(traceparent=f"00-{number:032x}-{SPAN}-00"))
        await asyncio.sleep(0)
        return outgoing_headers(with_baggage=False)["traceparent"]

    async def run():
        return await asyncio.gather(*(asyncio.ensure_future(ask(number)) for number in range(1, 20)))

    assert asyncio.run(run()) == [f"00-{number:032x}-{SPAN}-00" for number in range(1, 20)]


def test_own_gateway_gets_the_baggage_too():
    sent = _sent(_headers(traceparent=PARENT, baggage="user=ada"), with_baggage=True)

    assert sent == {"traceparent": PARENT, "baggage": "user=ada"}


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "0af7651916cd43dd8448eb211c80319c",
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-more",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"{PARENT} ",
        f"01-{TRACE}-{SPAN}-01-{'x' * 600}",
    ],
)
def test_invalid_traceparent_is_dropped_and_its_tracestate_with_it(traceparent):
    assert _sent(_headers(traceparent=traceparent, tracestate="vendor=1")) == {}


def test_traceparent_of_a_later_version_is_handed_on_as_it_is():
    later = f"01-{TRACE}-{SPAN}-09-more"

    assert _sent(_headers(traceparent=later)) == {"traceparent": later}


def test_two_traceparents_are_none_and_two_tracestates_are_one():
    twice = Headers(raw=[(b"traceparent", PARENT.encode())] * 2)
    states = Headers(raw=[(b"traceparent", PARENT.encode()), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")])

    assert TraceContext.from_headers(twice).traceparent is None
    assert TraceContext.from_headers(states).tracestate == "a=1,b=2"


@pytest.mark.parametrize("value", ["x" * 9000, "caf\u00e9=1"])
def test_what_no_header_should_hold_is_not_handed_on(value):
    headers = Headers(raw=[(b"traceparent", PARENT.encode()), (b"tracestate", value.encode("latin-1"))])

    assert _sent(headers) == {"traceparent": PARENT}


def test_with_opentelemetry_the_callers_span_is_the_parent_and_the_current_one_goes_out():
    tracer = TracerProvider().get_tracer("test")

    async def run():
        take_in(_headers(traceparent=PARENT, tracestate="vendor=1"))
        with tracer.start_as_current_span("agent") as span:
            return span, outgoing_headers(with_baggage=False)

    span, sent = asyncio.run(run())

    assert f"{span.parent.span_id:016x}" == SPAN
    assert sent["traceparent"] == f"00-{TRACE}-{span.get_span_context().span_id:016x}-01"
    assert sent["tracestate"] == "vendor=1"


def test_span_of_an_instrumented_server_is_left_alone():
    tracer = TracerProvider().get_tracer("test")

    async def run():
        with tracer.start_as_current_span("server") as span:
            take_in(_headers(traceparent=PARENT))
            return span, trace.get_current_span()

    span, current = asyncio.run(run())

    assert current is span
