"""What of a span leaves the process."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode

from agent_runtime.blueprint import Blueprint
from agent_runtime.bundle import BundledAgent
from agent_runtime.telemetry.destinations import TraceDestination
from agent_runtime.telemetry.tracing import Tracing

CANARY = "canary-0123456789"
CONTENT = (
    *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.prompt"),
    *("gen_ai.completion", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.definitions"),
    *("gen_ai.tool.description", "system_prompt", "input.value", "traceloop.entity.input", "my.own.attribute"),
)


@pytest.fixture
def cleaned():
    """A span with everything that must not leave, after the filter of an agent."""

    def clean(*, content=False, attributes=None, **observability):
        plan = {
            **{"id": "tide", "name": "Tide", "version": "1.0.0", "prompt_ref": "tide"},
            "model": {"model_id": "m", "temperature": 0, "max_tokens": 1},
            "observability": observability,
        }
        agent = BundledAgent(Blueprint.model_validate(plan), "prompt", "1" * 64, "2" * 64)
        tracing = Tracing(agent, "test", [], None)
        span = TracerProvider(shutdown_on_exit=False).get_tracer("user").start_span("step")
        span.set_attributes(dict.fromkeys(CONTENT, CANARY) | (attributes or {}))
        span.add_event("gen_ai.user.message", {"content": CANARY})
        span.record_exception(ValueError(CANARY), attributes={"more": CANARY})
        span.set_status(Status(StatusCode.ERROR, CANARY))
        span.end()
        return tracing._cleaner(TraceDestination("http://x", content=content))(span)

    return clean


def test_no_content_and_no_text_of_an_exception_leaves(cleaned):
    span = cleaned(attributes={"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7})

    assert CANARY not in span.to_json()
    assert dict(span.attributes) == {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7}
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        ("exception", {"exception.type": "ValueError"})
    ]
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)


def test_attributes_of_the_blueprint_leave(cleaned):
    span = cleaned(attributes={"team": "tides"}, trace_attributes={"team": "tides"})

    assert dict(span.attributes) == {"team": "tides"}


def test_an_attribute_of_the_blueprint_opens_no_door_to_content(cleaned):
    span = cleaned(trace_attributes={"gen_ai.input.messages": "mine"})

    assert dict(span.attributes) == {}


@pytest.mark.parametrize(("provider", "kept"), [("none", {"user.id": "u-1"}), ("presidio", {})])
def test_the_callers_user_leaves_only_without_data_protection(cleaned, provider, kept):
    span = cleaned(attributes={"user.id": "u-1"}, data_protection={"provider": provider})

    assert dict(span.attributes) == kept


def test_with_content_only_the_texts_of_exceptions_stay(cleaned):
    span = cleaned(content=True)

    assert span.attributes["gen_ai.input.messages"] == CANARY
    assert dict(span.events[0].attributes) == {"content": CANARY}
    assert dict(span.events[1].attributes) == {
        "exception.type": "ValueError",
        "exception.escaped": "False",
        "more": CANARY,
    }
    assert span.status.description is None
