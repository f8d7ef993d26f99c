"""What of a span may leave the process.

Strands writes prompts, answers, system prompts and what tools were asked and said into its spans, always; libraries
put keys and whole requests into the texts of the exceptions that spans record. So a span leaves with those attributes
that hold no content, and of its events with the types of its exceptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from opentelemetry.util.types import Attributes

# Attributes of Strands ("Semantic conventions for generative AI systems", OpenTelemetry) and of ours. What is not here
# is content, or may be.
_HARMLESS = frozenset(
    {
        *("gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.agent.tools", "gen_ai.agent.version"),
        *("gen_ai.conversation.id", "gen_ai.event.end_time", "gen_ai.event.start_time", "gen_ai.operation.name"),
        *("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.system"),
        *("gen_ai.server.request.duration", "gen_ai.server.time_to_first_token"),
        *("gen_ai.tool.call.id", "gen_ai.tool.name", "gen_ai.tool.status", "gen_ai.tool.type"),
        *("event_loop.cycle_id", "event_loop.parent_cycle_id", "strands.cancellation.type"),
        *("error.type", "exception.type", "session.id"),
    }
)
_HARMLESS_PREFIXES = (
    "gen_ai.usage.",
    "strandline.",
    # Which variant of an experiment of AgentCore's gateway this is; the SDK sets it.
    "aws.agentcore.gateway.",
)
_EXCEPTION = "exception"
_EXCEPTION_TEXTS = ("exception.message", "exception.stacktrace")


def with_content(span: ReadableSpan) -> ReadableSpan:
    """Takes the texts of exceptions out of a span, and leaves everything else.

    Args:
        span: An ended span.

    Returns:
        The span as it may leave to a receiver that may have prompts and answers.
    """
    events = [
        Event(event.name, _without(event.attributes, _EXCEPTION_TEXTS), timestamp=event.timestamp)
        for event in span.events
    ]
    return _copy(span, span.attributes, events)


def without_content(span: ReadableSpan, also: Collection[str]) -> ReadableSpan:
    """Takes everything that is content or may be out of a span.

    Args:
        span: An ended span.
        also: Further attributes that hold none: those that the blueprint sets.

    Returns:
        The span as it may leave.
    """
    events = [
        Event(event.name, _harmless(event.attributes, ()), timestamp=event.timestamp)
        for event in span.events
        if event.name == _EXCEPTION
    ]
    return _copy(span, _harmless(span.attributes, also), events)


def _harmless(attributes: Attributes, also: Collection[str]) -> Attributes:
    return {
        name: value
        for name, value in (attributes or {}).items()
        if name in _HARMLESS or name in also or name.startswith(_HARMLESS_PREFIXES)
    }


def _without(attributes: Attributes, names: Collection[str]) -> Attributes:
    return {name: value for name, value in (attributes or {}).items() if name not in names}


def _copy(span: ReadableSpan, attributes: Attributes, events: Sequence[Event]) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        # Its description is the text of an exception.
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
