# mypy: disable-error-code="import-not-found"
"""Watches the tasks of services: a deployment goes on when they are healthy, and one that is not is replaced.

MiniStack takes a task for healthy a second after its start, and never looks at it again.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from ministack.core.responses import request_scope
from ministack.services import ecs

from ..containers.engine import Engine
from .health import ContainerHealth

if TYPE_CHECKING:
    from ..balancer.targets import TargetHealth
    from ..context import Context

logger = logging.getLogger("strandline.ecs")

_LOOP_SECONDS = 0.15
_STABLE_SECONDS = 1.0

Task = dict[str, Any]


def install(context: Context) -> None:
    """Begin to watch, unless containers are left to a Docker engine."""
    if isinstance(ecs._docker, Engine):
        Monitor(ecs._docker, context.target_health, context.settings.limits.health_scale).start()


class Monitor:
    """The watch over every task."""

    def __init__(self, engine: Engine, targets: TargetHealth, scale: float) -> None:
        self._engine = engine
        self._targets = targets
        self._scale = scale
        self._health: dict[str, ContainerHealth] = {}
        self._healthy_since: dict[str, float] = {}
        self._record_healthy = ecs._record_service_task_healthy

    def start(self) -> None:
        """Take over the question what is healthy."""

        def record_service_task_healthy(service_key: str, task: Task) -> None:
            if self._is_ready(task):
                self._record_healthy(service_key, task)

        ecs._record_service_task_healthy = record_service_task_healthy
        threading.Thread(target=self._loop, daemon=True, name="ecs-monitor").start()

    def _loop(self) -> None:
        while True:
            time.sleep(_LOOP_SECONDS)
            for (account, region, _), task in list(ecs._tasks.all_items()):
                if task.get("lastStatus") != "RUNNING":
                    continue
                try:
                    with request_scope(account, region):
                        self._look(task)
                except Exception:
                    logger.exception("task=<%s> | could not be looked at", task.get("taskArn"))

    def _look(self, task: Task) -> None:
        self._note_container_health(task)
        reason = self._fault(task)
        if reason:
            self._replace(task, reason)
        elif not task.get("_startup_stable") and self._is_ready(task):
            self._advance(task)

    def _note_container_health(self, task: Task) -> None:
        states = []
        for container in self._engine.containers.of_task(task["taskArn"]):
            check = container.definition.get("healthCheck")
            if not check:
                continue
            health = self._health.get(container.id)
            if health is None:
                health = self._health[container.id] = ContainerHealth(container, check, self._scale)
                health.start()
            states.append(health.status)
            for entry in task["containers"]:
                if entry["name"] == container.definition["name"]:
                    entry["healthStatus"] = health.status
        worst = next((state for state in ("UNHEALTHY", "UNKNOWN", "HEALTHY") if state in states), "UNKNOWN")
        task["healthStatus"] = worst

    def _fault(self, task: Task) -> str:
        """Why the task is to be replaced; empty if it is not."""
        if task["healthStatus"] == "UNHEALTHY":
            return "Task failed container health checks"
        service = _service_of(task)
        if service is None:
            return ""
        grace = float(service.get("healthCheckGracePeriodSeconds") or 0) * self._scale
        old_enough = time.monotonic() - self._running_since(task) > grace
        for group, state in self._target_states(task, service):
            if state == "unhealthy" and old_enough:
                return f"Task failed ELB health checks in (target-group {group})"
        return ""

    def _is_ready(self, task: Task) -> bool:
        """Whether it runs, has run for a moment, and all its checks pass."""
        containers = [
            container
            for container in self._engine.containers.of_task(task["taskArn"])
            if container.definition.get("essential", True)
        ]
        if not containers or any(not container.running_child.running for container in containers):
            return False
        if time.monotonic() - self._running_since(task) < _STABLE_SECONDS:
            return False
        if (
            any(container.definition.get("healthCheck") for container in containers)
            and task.get("healthStatus") != "HEALTHY"
        ):
            return False
        service = _service_of(task)
        return service is None or all(state == "healthy" for _, state in self._target_states(task, service))

    def _target_states(self, task: Task, service: dict[str, Any]) -> list[tuple[str, str]]:
        address = ecs._task_ip(task)
        return [
            (
                entry["targetGroupArn"],
                self._targets.state(entry["targetGroupArn"], address, int(entry["containerPort"])),
            )
            for entry in service.get("loadBalancers") or []
            if entry.get("targetGroupArn")
        ]

    def _running_since(self, task: Task) -> float:
        return self._healthy_since.setdefault(task["taskArn"], time.monotonic())

    def _advance(self, task: Task) -> None:
        """The task is healthy: go on with the deployment that it belongs to."""
        key = _service_key(task)
        if key is None:
            task["_startup_stable"] = True
            return
        cluster = key.split("/", 1)[0]
        self._record_healthy(key, task)
        ecs._refresh_service_state(cluster, task["group"])
        ecs._reconcile_service_tasks(cluster, key)
        ecs._complete_service_deployment(cluster, key)

    def _replace(self, task: Task, reason: str) -> None:
        if ecs._mark_task_stopped(task["taskArn"], task, reason, "ServiceSchedulerInitiated"):
            logger.info("task=<%s>, reason=<%s> | stopped", task["taskArn"], reason)
            ecs._cleanup_task_resources(task, ecs._docker)
            ecs._record_service_task_failure(task)


def _service_key(task: Task) -> str | None:
    cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
    group = task.get("group", "")
    return f"{cluster}/{group.split(':', 1)[1]}" if cluster and group.startswith("service:") else None


def _service_of(task: Task) -> dict[str, Any] | None:
    key = _service_key(task)
    service: dict[str, Any] | None = ecs._services.get(key) if key else None
    return service
