# mypy: disable-error-code="import-not-found"
"""Metrics that log lines embed, as CloudWatch Logs finds them ("Specification: Embedded metric format", CloudWatch)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.services import cloudwatch

if TYPE_CHECKING:
    from collections.abc import Iterator


def put_metrics(line: str) -> None:
    """Makes metrics of a line, where it embeds any; a line that only looks as if it did is a line.

    Args:
        line: What was logged.
    """
    if '"_aws"' not in line:
        return
    try:
        found = list(_data(json.loads(line)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    for namespace, name, dimensions, seconds, unit, values in found:
        cloudwatch._store_datum(namespace, name, dimensions, seconds, unit, None, values, None, None)


def _data(root: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str], float, str, list[float]]]:
    seconds = root["_aws"]["Timestamp"] / 1000
    for directive in root["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = {name: str(root[name]) for name in names}
            for metric in directive["Metrics"]:
                value = root[metric["Name"]]
                values = [float(one) for one in (value if isinstance(value, list) else [value])]
                yield (
                    directive["Namespace"],
                    metric["Name"],
                    dimensions,
                    seconds,
                    metric.get("Unit", "None"),
                    values,
                )
