"""Traces: spans of Strands and of the invocation around them, sent to where `destinations` says.

Imported at start, for the agents whose traces go somewhere. The pipeline itself is made by the first request: its
threads, ids and connections must not be in the snapshot of platform V2.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Status, StatusCode

from agent_runtime.providers.leases import CredentialReader
from agent_runtime.telemetry.otlp_exporter import OtlpExporter
from agent_runtime.telemetry.span_filter import with_content, without_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from agent_runtime.bundle import BundledAgent
    from agent_runtime.secret_store import SecretStore
    from agent_runtime.telemetry.destinations import TraceDestination

_CALLER = "strandline-caller"
_SPAN_ID_BYTES, _TRACE_ID_BYTES = 8, 16


class Tracing:
    """The traces of one agent.

    Args:
        agent: The agent.
        environment: Name of the environment.
        destinations: Where its traces go.
        secrets: Where the keys for that come from.
    """

    def __init__(
        self,
        agent: BundledAgent,
        environment: str,
        destinations: Sequence[TraceDestination],
        secrets: SecretStore,
    ) -> None:
        self._agent = agent
        self._environment = environment
        self._destinations = destinations
        # Registered now, so that one call reads these secrets along with the model's.
        self._readers = [CredentialReader(secrets, None, destination.headers_env) for destination in destinations]
        self._provider: TracerProvider | None = None
        self._lock = threading.Lock()

    @contextmanager
    def span(self, session_id: str) -> Iterator[InvocationSpan]:
        """Opens the span of an invocation, a child of the caller's if it sent one, and makes it the current one.

        Args:
            session_id: The conversation that it belongs to.

        Yields:
            The span.
        """
        before = context.get_current()
        caller = {"session.id": session_id, **self._agent.blueprint.observability.trace_attributes}
        surroundings = context.set_value(_CALLER, caller)
        tracer = self._started().get_tracer("strandline")
        name = f"invocation {self._agent.blueprint.id}"
        span = tracer.start_span(name, context=surroundings, kind=SpanKind.SERVER, attributes=self._attributes())
        context.attach(trace.set_span_in_context(span, surroundings))
        try:
            yield InvocationSpan(span)
        finally:
            span.end()
            # Not detached by token: an agent that is given up is closed from another task's context.
            context.attach(before)

    def _attributes(self) -> dict[str, str]:
        blueprint = self._agent.blueprint
        return {
            "gen_ai.agent.id": blueprint.id,
            "gen_ai.agent.name": blueprint.name,
            "gen_ai.agent.version": blueprint.version,
            "strandline.bundle": self._agent.sha256,
            "strandline.environment": self._environment,
        }

    def _started(self) -> TracerProvider:
        with self._lock:
            if self._provider is None:
                self._provider = self._start()
            return self._provider

    def _start(self) -> TracerProvider:
        provider = TracerProvider(
            # All spans, as the AWS distro has it for agents: few requests, and each of them counts.
            sampler=None if os.environ.get("OTEL_TRACES_SAMPLER") else ALWAYS_ON,
            resource=self._resource(),
            id_generator=_SystemIds(),
        )
        provider.add_span_processor(_OfCaller())
        for destination, reader in zip(self._destinations, self._readers, strict=True):
            exporter = OtlpExporter(destination, reader, self._cleaner(destination))
            provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        return provider

    def _resource(self) -> Resource:
        blueprint = self._agent.blueprint
        # Not `Resource.create`: it adds an id of the process, which every restored session would have.
        ours = Resource(
            {
                "service.name": blueprint.runtime_name(self._environment),
                "service.version": blueprint.version,
                "deployment.environment.name": self._environment,
                # CloudWatch's page of agents shows what has this.
                "aws.service.type": "gen_ai_agent",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.name": "opentelemetry",
            }
        )
        return ours.merge(OTELResourceDetector().detect())

    def _cleaner(self, destination: TraceDestination) -> Callable[[ReadableSpan], ReadableSpan]:
        if destination.content:
            return with_content
        observability = self._agent.blueprint.observability
        # Of `gen_ai` no further name: Strands writes content under some of them.
        also = {name for name in observability.trace_attributes if not name.startswith("gen_ai.")}
        if observability.data_protection.provider == "none":
            also.add("user.id")
        return lambda span: without_content(span, also)


class InvocationSpan:
    """The span of one invocation."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        """The trace, as logs have it."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def note(self, members: Mapping[str, Any]) -> None:
        """Sets attributes; those without a value are left out."""
        self._span.set_attributes({name: value for name, value in members.items() if value is not None})

    def fail(self, kind: str) -> None:
        """Says that the invocation failed.

        Args:
            kind: What kind of failure, as the caller is told.
        """
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


class _OfCaller(SpanProcessor):
    """Writes the session and the blueprint's attributes on every span, as the AWS distro does from baggage."""

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
        """Sets the attributes of the invocation that a span belongs to."""
        caller = context.get_value(_CALLER, parent_context)
        if isinstance(caller, dict):
            span.set_attributes(caller)


class _SystemIds(IdGenerator):
    """Ids from the system: the SDK draws them from a random state that the snapshot holds."""

    def generate_span_id(self) -> int:
        """Gives an id that is not zero."""
        return int.from_bytes(os.urandom(_SPAN_ID_BYTES)) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """Gives an id that is not zero."""
        return int.from_bytes(os.urandom(_TRACE_ID_BYTES)) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Tells that all of its bits are random."""
        return True
