# mypy: disable-error-code="import-not-found"

"""AWS::ECS::TaskDefinition that keeps all its members, and AWS::ECS::Service that waits for its steady state."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from ministack.services import ecs
from ministack.services.cloudformation import provisioners

from .registry import Made, Properties, ResourceType, inherited, wrap

if TYPE_CHECKING:
    from ..context import Context

_POLL_SECONDS = 0.1
_REASON = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."
# Members whose keys are the user's own, and must not be changed with the rest.
_KEPT = ("RuntimePlatform", "EphemeralStorage", "ProxyConfiguration", "Volumes")
_USER_KEYED = {"options", "dockerLabels", "driverOpts", "labels"}


def types(context: Context) -> dict[str, ResourceType]:
    """The types of this module."""
    provisioners._normalize_container_defs = members
    _mend_task_definition()
    _mend_first_deployment()
    _mend_failed_deployment()
    service = Service(inherited("AWS::ECS::Service"), context.settings.limits.steady)
    return {
        "AWS::ECS::Service": ResourceType(
            service.create,
            service.delete,
            service.update,
            replacing=("ServiceName", "Cluster", "LaunchType", "SchedulingStrategy"),
            blocking=True,
        )
    }


def _mend_task_definition() -> None:
    """MiniStack drops members of a task definition, and leaves `Volumes` in CloudFormation's spelling."""
    create = provisioners._ecs_task_def_create

    def create_definition(logical_id: str, properties: Properties, stack: str) -> Made:
        arn, attributes = create(logical_id, properties, stack)
        key = ecs._resolve_td_key(arn)
        kept = {name[0].lower() + name[1:]: members(properties[name]) for name in _KEPT if name in properties}
        ecs._task_defs[key] = ecs._task_defs[key] | kept
        return arn, attributes

    # An update registers the next revision through the name in the module, not through the table.
    provisioners._ecs_task_def_create = create_definition
    wrap("AWS::ECS::TaskDefinition", create=create_definition)


def _mend_first_deployment() -> None:
    """MiniStack calls a service's first deployment completed when it begins; no circuit breaker then watches it."""
    make = ecs._make_deployment

    def make_deployment(definition: str, desired_count: int, status: str = "PRIMARY") -> dict[str, Any]:
        deployment: dict[str, Any] = make(definition, desired_count, status)
        if int(desired_count) > 0:
            deployment |= {"rolloutState": "IN_PROGRESS", "rolloutStateReason": "ECS deployment in progress."}
        return deployment

    ecs._make_deployment = make_deployment


def _mend_failed_deployment() -> None:
    """MiniStack stops the last good tasks when a deployment fails that has nothing to fall back on; AWS leaves them."""
    reconcile = ecs._reconcile_service_tasks

    def reconcile_service_tasks(cluster: str, key: str) -> None:
        record = ecs._services.get(key) or {}
        primary = ecs._primary_deployment(record) if record else None
        if primary and primary.get("rolloutState") == "FAILED" and record.get("desiredCount"):
            ecs._refresh_service_state(cluster, f"service:{record['serviceName']}")
        else:
            reconcile(cluster, key)

    ecs._reconcile_service_tasks = reconcile_service_tasks


def members(value: Any) -> Any:
    """CloudFormation's container definitions as the API's. MiniStack's own leaves `Secrets` and others empty."""
    if isinstance(value, dict):
        named = {key[0].lower() + key[1:]: member for key, member in value.items()}
        return {key: member if key in _USER_KEYED else members(member) for key, member in named.items()}
    return [members(member) for member in value] if isinstance(value, list) else value


class Service:
    """A service is made, or changed, when its deployment has come to its end."""

    def __init__(self, handlers: Any, steady_seconds: float) -> None:
        self._handlers = handlers
        self._steady_seconds = steady_seconds

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Create and wait; a service that never becomes steady is removed again."""
        arn, attributes = self._handlers["create"](logical_id, properties, stack)
        record = _record(arn)
        for prop, member in (
            ("HealthCheckGracePeriodSeconds", "healthCheckGracePeriodSeconds"),
            ("PlatformVersion", "platformVersion"),
        ):
            if prop in properties:
                record[member] = properties[prop]
        try:
            self._await_steady(record)
        except ValueError:
            self.delete(arn, properties)
            raise
        return arn, attributes

    def update(self, arn: str, old: Properties, new: Properties, stack: str) -> Made:
        """Update and wait; what the circuit breaker did not send back is sent back here."""
        made: Made = self._handlers["update"](arn, old, new, stack)
        record = _record(arn)
        try:
            self._await_steady(record)
        except ValueError:
            self._send_back(arn, new, old, stack)
            raise
        return made

    def _send_back(self, arn: str, new: Properties, old: Properties, stack: str) -> None:
        """To the properties before, until they hold: the next deployment needs a completed one to fall back on."""
        record = _record(arn)
        if record.get("taskDefinition") == new.get("TaskDefinition") or old.get("DesiredCount") != new.get(
            "DesiredCount"
        ):
            self._handlers["update"](arn, new, old, stack)
        with contextlib.suppress(ValueError):
            self._await_steady(record)

    def delete(self, arn: str, properties: Properties) -> None:
        """Delete with its tasks."""
        self._handlers["delete"](arn, properties)

    def _await_steady(self, record: dict[str, Any]) -> None:
        """Wait for the end of the deployment that is primary now.

        Raises:
            ValueError: It failed, or did not end in time.
        """
        primary = ecs._primary_deployment(record)
        deadline = time.monotonic() + self._steady_seconds
        while primary and time.monotonic() < deadline:
            state = primary.get("rolloutState")
            if (
                state == "COMPLETED"
                and primary in record["deployments"]
                and record["runningCount"] >= record["desiredCount"]
            ):
                return
            if state == "FAILED":
                raise ValueError(f"{_REASON} {_last_reason(record, primary)}")
            time.sleep(_POLL_SECONDS)
        raise ValueError(f"Service {record['serviceName']} did not stabilize. {_last_reason(record, primary or {})}")


def _record(arn: str) -> dict[str, Any]:
    cluster, name = arn.rsplit("/", 2)[-2:]
    record: dict[str, Any] = ecs._services[f"{ecs._resolve_cluster_name(cluster)}/{name}"]
    return record


def _last_reason(record: dict[str, Any], deployment: dict[str, Any]) -> str:
    """Why the last task of the deployment stopped."""
    stopped = [
        task
        for task in ecs._tasks.values()
        if task.get("_deployment_id") == deployment.get("id") and task.get("lastStatus") == "STOPPED"
    ]
    if not stopped:
        return f"No task of {record['serviceName']} stopped."
    last = max(stopped, key=lambda task: str(task.get("stoppedAt")))
    codes = [
        str(container["exitCode"]) for container in last.get("containers", []) if container.get("exitCode") is not None
    ]
    code = f" (exit code {', '.join(codes)})" if codes else ""
    return f"Last stopped task: {last.get('stoppedReason')}{code}"
