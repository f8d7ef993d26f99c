"""What agents did and cost since the month began, by the metrics of their handlers (`docs/observability.md`)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.telemetry.metrics import NAMESPACE
from strandline.aws_errors import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strandline.targets import Target

_KINDS = {"i": "Invocations", "c": "CostUsd"}
# "GetMetricData", Amazon CloudWatch API: 500 queries a call, and here each agent has two.
_AGENTS_A_CALL = 250
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Usage:
    """One agent's month until now.

    Attributes:
        invocations: How often it was invoked, however that ended.
        cost_usd: What its models told that they cost; nothing where none told it.
    """

    invocations: int
    cost_usd: float | None


def read_usage(target: Target, agents: Sequence[str], now: dt.datetime) -> dict[str, Usage]:
    """Reads the month's metrics of agents ("GetMetricData").

    Args:
        target: The environment.
        agents: Ids of the agents.
        now: The time, in UTC, as months are billed.

    Returns:
        The usage of each, by id.

    Raises:
        EnvironmentFault: CloudWatch refuses, or cannot be reached.
    """
    client = target.client("cloudwatch")
    found: dict[str, Usage] = {}
    with told("CloudWatch", f"CloudWatch does not tell what the agents of {target.environment.name} did"):
        for first in range(0, len(agents), _AGENTS_A_CALL):
            found |= _read(client, target.environment.name, agents[first : first + _AGENTS_A_CALL], now)
    return found


def _read(client: Any, environment: str, agents: Sequence[str], now: dt.datetime) -> dict[str, Usage]:
    queries = [
        _query(f"{kind}{index}", metric, environment, agent)
        for index, agent in enumerate(agents)
        for kind, metric in _KINDS.items()
    ]
    begun = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    pages = client.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, StartTime=begun, EndTime=now)
    values: dict[str, list[float]] = defaultdict(list)
    for page in pages:
        for one in page["MetricDataResults"]:
            values[one["Id"]] += one["Values"]
    return {
        agent: Usage(round(sum(values[f"i{index}"])), sum(values[f"c{index}"]) if values[f"c{index}"] else None)
        for index, agent in enumerate(agents)
    }


def _query(name: str, metric: str, environment: str, agent: str) -> dict[str, Any]:
    dimensions = [{"Name": "environment", "Value": environment}, {"Name": "agent", "Value": agent}]
    wanted = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": wanted, "Period": _DAY_SECONDS, "Stat": "Sum"}}
