"""One JSON line for each request for inference: what dashboards, alarms and `Logs Insights` read.

The numbers are at the top of the line, where a metric filter of CloudWatch Logs finds them: `{ $.TierFallbacks > 0 }`.
Where `STRANDLINE_METRICS_NAMESPACE` names a namespace the line carries them in CloudWatch's embedded metric format as
well ("Specification: Embedded metric format", Amazon CloudWatch). It holds no word of a conversation and no key.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE: Final = "STRANDLINE_METRICS_NAMESPACE"
ENVIRONMENT: Final = "STRANDLINE_ENVIRONMENT"

REQUESTS: Final = "Requests"
ERRORS: Final = "Errors"
LATENCY: Final = "Latency"
TIME_TO_FIRST_BYTE: Final = "TimeToFirstByte"
PROMPT_TOKENS: Final = "PromptTokens"
COMPLETION_TOKENS: Final = "CompletionTokens"
COST: Final = "CostUsd"
UNPRICED: Final = "UnpricedRequests"
TIER_FALLBACKS: Final = "TierFallbacks"
DROPPED_PARAMETERS: Final = "DroppedParameters"
BUDGET_REFUSALS: Final = "BudgetRefusals"
RATE_LIMIT_REFUSALS: Final = "RateLimitRefusals"
KEY_REFUSALS: Final = "KeyRefusals"

UNITS: Final[Mapping[str, str]] = {
    REQUESTS: "Count",
    ERRORS: "Count",
    LATENCY: "Milliseconds",
    TIME_TO_FIRST_BYTE: "Milliseconds",
    PROMPT_TOKENS: "Count",
    COMPLETION_TOKENS: "Count",
    COST: "None",
    UNPRICED: "Count",
    TIER_FALLBACKS: "Count",
    DROPPED_PARAMETERS: "Count",
    BUDGET_REFUSALS: "Count",
    RATE_LIMIT_REFUSALS: "Count",
    KEY_REFUSALS: "Count",
}
"""Every metric, with CloudWatch's unit for it."""

_MOST_WAITING = 10_000
_PAUSE_SECONDS = 0.05


class LineWriter:
    """Writes lines to standard output from a thread of its own.

    Whoever reads the log may be slow, and a full pipe holds the writer: here that is never the proxy's event loop.
    Lines that find ten thousand others waiting are lost, and their number is told.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._lost = 0
        self._thread: threading.Thread | None = None

    def write(self, line: Mapping[str, Any]) -> None:
        """Takes a line; returns at once.

        Args:
            line: Its members.
        """
        if self._thread is None:
            # Not before the first line: a worker process is forked from one that has read its modules.
            self._thread = threading.Thread(target=self._run, name="strandline-metrics", daemon=True)
            self._thread.start()
        if self._waiting.qsize() >= _MOST_WAITING:
            self._lost += 1
            return
        self._waiting.put_nowait(line)

    def close(self) -> None:
        """Waits until every line that was taken is written."""
        if self._thread is not None:
            self._waiting.put_nowait(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        ended = False
        while not ended:
            # A thread that woke for each line would take the interpreter from the event loop each time.
            taken = [self._waiting.get()]
            if taken[0] is not None:
                time.sleep(_PAUSE_SECONDS)
            while not self._waiting.empty():
                taken.append(self._waiting.get())
            ended = None in taken
            sys.stdout.write("".join(self._text(line) for line in taken if line is not None))
            sys.stdout.flush()

    def _text(self, line: Mapping[str, Any]) -> str:
        lost, self._lost = self._lost, 0
        return json.dumps({**line, "lost_lines": lost} if lost else line, separators=(",", ":"), default=str) + "\n"


lines = LineWriter()


def line_of(numbers: Mapping[str, float], details: Mapping[str, Any]) -> dict[str, Any]:
    """Puts a line together.

    Args:
        numbers: Values of metrics by their names.
        details: What else is known of the request; members without a value are left out.

    Returns:
        The line.
    """
    line: dict[str, Any] = {name: value for name, value in details.items() if value not in (None, "", ())}
    line["Environment"] = os.environ.get(ENVIRONMENT, "unknown")
    line.update(numbers)
    if namespace := os.environ.get(NAMESPACE):
        told = [{"Name": name, "Unit": UNITS[name]} for name in numbers]
        directive = {"Namespace": namespace, "Dimensions": [["Environment"]], "Metrics": told}
        line["_aws"] = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
    return line
