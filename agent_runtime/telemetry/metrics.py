"""Metrics in CloudWatch's Embedded Metric Format: one JSON line for each invocation, on standard output.

AgentCore ships what the process writes to the runtime's log group, and CloudWatch Logs makes metrics of the lines whose
root holds `_aws` ("Specification: Embedded metric format", Amazon CloudWatch User Guide). So a metric needs no client,
no permission and no connection. Nothing here reads a clock before it writes a line: platform V2 snapshots the process.

    metrics.count("SecretRefreshes")
    metrics.record("TimeToFirstToken", 412.5, "Milliseconds")

What is counted within `invocation()` goes into that invocation's line; what happens beside it, such as a refresh in the
background, gets a line of its own. `docs/observability.md` lists the metrics.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMESPACE = "Strandline"
"""CloudWatch namespace of all metrics."""

Unit = Literal["Count", "Milliseconds", "Seconds", "None"]

# The specification's bound on the values of one metric in one line.
_MAX_VALUES = 100


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Whose metrics these are.

    Attributes:
        environment: Name of the environment, such as `production`.
        agent: Id of the agent.
        version: Version of its blueprint.
    """

    environment: str
    agent: str
    version: str


class MetricSet:
    """The metrics and properties of one line; for any thread.

    Args:
        dimensions: Whose metrics these are.
        write: Takes the line.
        now: Seconds since 1970.
    """

    def __init__(
        self, dimensions: Dimensions, write: Callable[[str], None], now: Callable[[], float] = time.time
    ) -> None:
        self._dimensions = dimensions
        self._write = write
        self._now = now
        self._values: dict[str, list[float]] = {}
        self._units: dict[str, Unit] = {}
        self._properties: dict[str, str] = {}
        self._lock = threading.Lock()
        self._open = True

    def count(self, name: str, value: float) -> bool:
        """Adds to a sum; false if the line is written already."""
        with self._lock:
            if self._open:
                self._units[name] = "Count"
                self._values[name] = [self._values.get(name, [0])[0] + value]
            return self._open

    def record(self, name: str, value: float, unit: Unit) -> bool:
        """Adds a value; false if the line is written already."""
        with self._lock:
            if self._open:
                self._units[name] = unit
                self._values.setdefault(name, [])
                if len(self._values[name]) < _MAX_VALUES:
                    self._values[name].append(value)
            return self._open

    def note(self, name: str, text: str) -> None:
        """Adds a property: no metric, but there for who reads the line."""
        with self._lock:
            self._properties[name] = text

    def flush(self) -> None:
        """Writes the line, if it holds a metric; afterwards the set takes nothing."""
        with self._lock:
            self._open = False
        if self._values:
            self._write(json.dumps(self._line(), separators=(",", ":")))

    def _line(self) -> dict[str, Any]:
        names = ["environment", "agent", "version"]
        directive = {
            "Namespace": NAMESPACE,
            # Without the version too: an alarm of an agent must outlive its versions.
            "Dimensions": [names[:2], names],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in self._units.items()],
        }
        return {
            **self._properties,
            "environment": self._dimensions.environment,
            "agent": self._dimensions.agent,
            "version": self._dimensions.version,
            **{name: values[0] if len(values) == 1 else values for name, values in self._values.items()},
            "_aws": {"Timestamp": int(self._now() * 1000), "CloudWatchMetrics": [directive]},
        }


_dimensions: Dimensions | None = None
_current: ContextVar[MetricSet | None] = ContextVar("metric_set", default=None)


def configure(dimensions: Dimensions | None) -> None:
    """Sets whose metrics these are, once at start.

    Args:
        dimensions: Whose metrics these are; `None` writes none, which is also how a process begins.
    """
    global _dimensions  # noqa: PLW0603 - the process has one agent, and no module should have to carry it about
    _dimensions = dimensions


def count(name: str, value: float = 1) -> None:
    """Counts something that happened.

    Args:
        name: Name of the metric, such as `SecretRefreshes`.
        value: How often it happened.
    """
    _add(lambda metrics: metrics.count(name, value), value)


def record(name: str, value: float, unit: Unit) -> None:
    """Records a value that was measured.

    Args:
        name: Name of the metric, such as `Latency`.
        value: The value.
        unit: CloudWatch's name of its unit.
    """
    _add(lambda metrics: metrics.record(name, value, unit), value)


def note(name: str, text: str | None) -> None:
    """Adds a property to the line of the current invocation; outside of one it does nothing.

    Args:
        name: Name of the property.
        text: An id or a name; never a caller's or a model's words. `None` adds nothing.
    """
    metrics = _current.get()
    if metrics is not None and text is not None:
        metrics.note(name, text)


@contextmanager
def invocation() -> Iterator[None]:
    """Collects the metrics of one invocation and writes them in one line at its end, however it ends."""
    if _dimensions is None:
        yield
        return
    metrics = MetricSet(_dimensions, _print)
    _current.set(metrics)
    try:
        yield
    finally:
        # Not reset by token: an agent that is given up is closed from another task's context.
        metrics.flush()


def _add(add: Callable[[MetricSet], bool], value: float) -> None:
    if _dimensions is None or not math.isfinite(value):
        return
    metrics = _current.get()
    if metrics is None or not add(metrics):
        alone = MetricSet(_dimensions, _print)
        add(alone)
        alone.flush()


def _print(line: str) -> None:
    # One call for the whole line, so that lines of several threads do not mix.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
