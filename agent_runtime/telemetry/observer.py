"""What is recorded of an invocation: its metrics, its members in the log, and what should be known of its answer."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from agent_runtime.failures import kind_and_status
from agent_runtime.telemetry import logs, metrics
from agent_runtime.trace_context import trace_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent_runtime.model_answers import ModelAnswers
    from agent_runtime.telemetry.tracing import InvocationSpan, Tracing

logger = logging.getLogger(__name__)

_INTERNAL = 500
_OF_WARNINGS = {"fallback": "Fallbacks", "zero_cost": "ZeroCostAnswers", "dropped_parameter": "DroppedParameters"}
_OF_USAGE = {
    "inputTokens": "InputTokens",
    "outputTokens": "OutputTokens",
    "cacheReadInputTokens": "CacheReadTokens",
    "cacheWriteInputTokens": "CacheWriteTokens",
}


class Observation:
    """One invocation as it goes on."""

    def __init__(self, told: ModelAnswers, span: InvocationSpan | None = None) -> None:
        self._told = told
        self._span = span
        self._started = time.perf_counter()
        self._spoke = False

    @property
    def elapsed_ms(self) -> float:
        """Time since the invocation began."""
        return (time.perf_counter() - self._started) * 1000

    def note_event(self, event: Mapping[str, Any]) -> None:
        """Notes a Converse stream event; the first one with content is the first token.

        Args:
            event: The event.
        """
        if not self._spoke and "contentBlockDelta" in event:
            self._spoke = True
            metrics.record("TimeToFirstToken", self.elapsed_ms, "Milliseconds")
        for name, count in event.get("metadata", {}).get("usage", {}).items():
            if name in _OF_USAGE and count:
                metrics.count(_OF_USAGE[name], count)

    def fail(self, error: Exception) -> None:
        """Notes that there is no answer.

        Args:
            error: What ended the invocation.
        """
        kind, status = kind_and_status(error)
        metrics.count("Failures" if status >= _INTERNAL else "Refusals")
        metrics.note("failure", kind)
        if self._span:
            self._span.fail(kind)

    def end(self) -> None:
        """Records what is known at the end, be it an answer or not."""
        told = self._told
        metrics.count("Invocations")
        metrics.record("Latency", self.elapsed_ms, "Milliseconds")
        metrics.count("ModelCalls", told.calls)
        metrics.count("ModelRetries", told.retries)
        metrics.note("model_answered", told.model)
        if told.cost_usd is not None:
            metrics.record("CostUsd", told.cost_usd, "None")
        if told.overhead_ms is not None:
            metrics.record("GatewayOverhead", told.overhead_ms, "Milliseconds")
        for warning in told.warnings:
            metrics.count(_OF_WARNINGS[warning.type])
            logger.warning("warning=<%s> | %s", warning.type, warning.message)
        if self._span:
            self._span.note(
                {
                    "gen_ai.response.model": told.model,
                    "strandline.fallback": told.fallback,
                    "strandline.attempts": told.calls + told.retries,
                    "strandline.cost_usd": told.cost_usd,
                    "strandline.cost_source": told.cost_source,
                    "strandline.warnings": [warning.type for warning in told.warnings],
                }
            )


@contextmanager
def observed(told: ModelAnswers, session_id: str, tracing: Tracing | None = None) -> Iterator[Observation]:
    """Records one invocation, however it ends.

    Args:
        told: What the model's endpoint tells, filled while the invocation goes on.
        session_id: The conversation that it belongs to.
        tracing: Traces it.

    Yields:
        What the invocation tells of itself.
    """
    with ExitStack() as stack:
        stack.enter_context(metrics.invocation())
        span = stack.enter_context(tracing.span(session_id)) if tracing else None
        trace_id = span.trace_id if span else _callers_trace()
        logs.begin_invocation(session=session_id, trace_id=trace_id)
        metrics.note("session", session_id)
        metrics.note("trace_id", trace_id)
        observation = Observation(told, span)
        try:
            yield observation
        except (GeneratorExit, asyncio.CancelledError):
            # The caller left: of a stream between two events, of a plain answer while the agent was at work.
            metrics.count("Abandoned")
            raise
        except Exception as error:
            observation.fail(error)
            raise
        finally:
            observation.end()


def _callers_trace() -> str | None:
    taken = trace_context.get()
    return taken.traceparent.split("-")[1] if taken and taken.traceparent else None
