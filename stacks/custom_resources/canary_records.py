"""What is kept of canaries: how each began or ended, why and by whom, as a record and as a line of metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .embedded_metrics import metric_line

if TYPE_CHECKING:
    from .canary_routes import Route

ALL, BACK, REPLACED, RUNNING = "all", "back", "replaced", "running"
METRIC_NAMESPACE = "Strandline/Canary"
WENT_BACK = "WentBack"

_METRICS = {ALL: "WentToAll", BACK: WENT_BACK, REPLACED: "Replaced"}
_FIRST_WORDS = {ALL: "went to all", BACK: "went back", REPLACED: "was replaced", RUNNING: "is running"}


@dataclass(frozen=True)
class Outcome:
    """How a canary ended.

    Attributes:
        outcome: `all`, `back` or `replaced`; `running` while it has not.
        reason: Why, the figures first.
        by: Who ended it.
        figures: Both sides at the end.
    """

    outcome: str
    reason: str
    by: str
    figures: Mapping[str, Any] | None = None


def record_key(agent: str, version: str) -> str:
    """Names the record of a version's canary in the bucket."""
    return f"canaries/{agent}/{version}.json"


def encode_record(environment: str, route: Route, outcome: Outcome, now: datetime) -> bytes:
    """Writes a record; its reason says in the first words what became of the canary."""
    told = {
        **asdict(outcome),
        "environment": environment,
        "reason": f"{_FIRST_WORDS[outcome.outcome]}: {outcome.reason}",
        "at": now.isoformat(timespec="seconds"),
        "canary": asdict(route),
    }
    return json.dumps(told, sort_keys=True).encode()


def outcome_line(environment: str, route: Route, outcome: Outcome, now: datetime) -> str:
    """Writes the line of the log by which the outcome is counted."""
    return metric_line(
        _METRICS[outcome.outcome],
        1,
        "Count",
        now,
        namespace=METRIC_NAMESPACE,
        dimensions=[["environment"], ["environment", "agent"]],
        properties={
            "environment": environment,
            "agent": route.agent,
            "version": route.version,
            "reason": outcome.reason,
            "by": outcome.by,
        },
    )
