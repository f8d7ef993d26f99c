"""A metric as a line of the log ("Specification: Embedded metric format", Amazon CloudWatch User Guide)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal


def metric_line(
    name: str,
    value: float,
    unit: Literal["Count", "None"],
    now: datetime,
    *,
    namespace: str,
    dimensions: Sequence[Sequence[str]],
    properties: Mapping[str, Any],
) -> str:
    """Writes a line that CloudWatch Logs takes for a metric.

    Args:
        name: Name of the metric.
        value: Its value.
        unit: Its unit, as CloudWatch names it.
        now: The time.
        namespace: Its namespace.
        dimensions: Sets of properties by which it is counted.
        properties: What else the line says, those of the dimensions among it.

    Returns:
        The line.
    """
    directive = {"Namespace": namespace, "Dimensions": dimensions, "Metrics": [{"Name": name, "Unit": unit}]}
    aws = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({**properties, name: value, "_aws": aws})
