# mypy: disable-error-code="import-not-found"

"""Deployments of a service: one is told of until the last request that its tasks have taken has come to its end.

ECS takes a task that goes from its target group and waits for what is in flight before it stops the task ("Amazon ECS
task lifecycle", DEACTIVATING). MiniStack drops a deployment as soon as its tasks are told to stop.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ministack.services import ecs

if TYPE_CHECKING:
    from .engine import Containers


class Deployment(NamedTuple):
    """What a task was started for.

    Attributes:
        service_arn: The service.
        record: The deployment as DescribeServices told of it then.
    """

    service_arn: str
    record: dict[str, Any]


def deployment_of(task_arn: str) -> Deployment | None:
    """The deployment that a task is started for; nothing where it is of no service."""
    wanted = next((task.get("_deployment_id") for _, task in ecs._tasks.all_items() if task["taskArn"] == task_arn), "")
    for _, service in ecs._services.all_items():
        for record in service.get("deployments", []):
            if record["id"] == wanted:
                return Deployment(service["serviceArn"], ecs._sanitize(record))
    return None


def install(containers: Containers) -> None:
    """Stand between MiniStack and who asks for a service."""
    describe = ecs._ACTION_MAP["DescribeServices"]

    def describe_services(data: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = describe(data)
        told = json.loads(body)
        for service in told.get("services", []):
            service["deployments"] += _ending(containers, service)
        return status, headers, json.dumps(told).encode()

    ecs._ACTION_MAP["DescribeServices"] = describe_services


def _ending(containers: Containers, service: dict[str, Any]) -> list[dict[str, Any]]:
    told = {record["id"] for record in service["deployments"]}
    records, tasks = {}, Counter[str]()
    for container in containers.list():
        made_for = container.deployment
        if made_for is None or made_for.service_arn != service["serviceArn"] or not container.is_ending:
            continue
        records[made_for.record["id"]] = made_for.record
        tasks[made_for.record["id"]] += 1
    now = {"status": "ACTIVE", "rolloutState": "COMPLETED", "desiredCount": 0, "pendingCount": 0}
    return [{**record, **now, "runningCount": tasks[name]} for name, record in records.items() if name not in told]
