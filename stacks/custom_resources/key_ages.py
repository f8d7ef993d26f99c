"""How old the agents' keys are, once a day, as a metric: a rotation that never comes fails nowhere."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

from .virtual_keys import is_in_use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

METRIC_NAMESPACE = "Strandline/Rotation"
AGE_METRIC = "KeyAgeDays"
WATCH_EVENT = {"Watch": "ages"}
"""What the function is called with."""

_DAY_SECONDS = 86_400


def metric_line(keys: Sequence[Mapping[str, Any]], environment: str, now: dt.datetime) -> str:
    """Writes the age of the oldest key that agents use.

    Args:
        keys: What LiteLLM knows of the environment's keys.
        environment: Name of the environment.
        now: The time.

    Returns:
        A line of the log that CloudWatch takes for a metric ("Embedded metric format specification").
    """
    made = [
        dt.datetime.fromisoformat(key["created_at"])
        for key in keys
        if key.get("key_alias", "").startswith(f"{environment}/") and is_in_use(key["key_alias"])
    ]
    ages = [(now - (one if one.tzinfo else one.replace(tzinfo=dt.UTC))).total_seconds() / _DAY_SECONDS for one in made]
    directive = {
        "Namespace": METRIC_NAMESPACE,
        "Dimensions": [["environment"]],
        "Metrics": [{"Name": AGE_METRIC, "Unit": "None"}],
    }
    return json.dumps(
        {
            "environment": environment,
            AGE_METRIC: round(max(ages, default=0.0), 2),
            "keys": len(ages),
            "_aws": {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]},
        }
    )
