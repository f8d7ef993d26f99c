"""What the sessions of a canary did: from the lines of metrics in the log groups of two endpoints.

AgentCore's own metrics know no cost and no fallback, and the handler does not know which endpoint it answers for. Its
lines of metrics have all four figures with the session's id, and AgentCore keeps a log group for each endpoint; one
query of CloudWatch Logs Insights reads both over the same time, so that what befalls both sides counts for neither.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean
from typing import Any

from .canary_judging import Figures, Session, Side
from .canary_routes import Route, endpoint_of, session_mark
from .endpoint_names import CANARY, LIVE

NEWEST = 10_000
"""Lines that Logs Insights gives at most ("CloudWatch Logs quotas"); of more, the newest."""

_POLL_SECONDS = 0.5
_LONGEST_SECONDS = 50.0
_ENDED = ("Complete", "Failed", "Cancelled", "Timeout", "Unknown")


class FiguresUnknown(Exception):
    """Raised when the log cannot be asked."""


def log_groups(runtime_arn: str) -> list[str]:
    """Names the log groups of both sides."""
    runtime_id = runtime_arn.rpartition("/")[2]
    return [f"/aws/bedrock-agentcore/runtimes/{runtime_id}-{endpoint}" for endpoint in (CANARY, LIVE)]


def read_figures(logs: Any, route: Route, now: float, sleep: Callable[[float], None] = time.sleep) -> Figures:
    """Reads what both sides did since the canary began.

    Args:
        logs: A client of CloudWatch Logs.
        route: The canary.
        now: The time, in seconds since 1970.
        sleep: Waits between two looks.

    Returns:
        The figures.

    Raises:
        FiguresUnknown: The query did not come to an end.
    """
    query = logs.start_query(
        logGroupNames=log_groups(route.runtime_arn),
        startTime=route.began,
        endTime=int(now) + 1,
        queryString=(
            "fields @message"
            f' | filter @message like /"session":"{session_mark(route.version)}(canary|live)-/'
            ' | filter @message like /"Invocations":1[,}]/'
            " | sort @timestamp desc"
        ),
        limit=NEWEST,
    )["queryId"]
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        found = logs.get_query_results(queryId=query)
        if found["status"] == "Complete":
            return _figures(_lines(found["results"]))
        if found["status"] in _ENDED:
            raise FiguresUnknown(f"Logs Insights ended with {found['status']}")
        sleep(_POLL_SECONDS)
    raise FiguresUnknown(f"Logs Insights did not answer in {_LONGEST_SECONDS:.0f} s")


def _lines(results: Iterable[Iterable[Mapping[str, str]]]) -> list[dict[str, Any]]:
    lines = []
    for row in results:
        message = next((cell["value"] for cell in row if cell["field"] == "@message"), "")
        try:
            line = json.loads(message)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("session"), str):
            lines.append(line)
    return lines


def _figures(lines: Iterable[Mapping[str, Any]]) -> Figures:
    by_session: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        by_session[line["session"]].append(line)
    sides: dict[str, list[Session]] = {CANARY: [], LIVE: []}
    for session, own in by_session.items():
        sides[endpoint_of(session)].append(_session(own))
    return Figures(Side(sides[CANARY]), Side(sides[LIVE]))


def _session(lines: list[Mapping[str, Any]]) -> Session:
    costs = [line["CostUsd"] for line in lines if "CostUsd" in line]
    return Session(
        invocations=len(lines),
        failures=sum("Failures" in line for line in lines),
        fallbacks=sum("Fallbacks" in line for line in lines),
        latency_ms=fmean(line.get("Latency", 0.0) for line in lines),
        cost_usd=fmean(costs) if costs else None,
    )
