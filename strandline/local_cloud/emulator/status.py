# mypy: disable-error-code="import-not-found"
"""What runs, for `strandline local status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import alb, ecs, iam
from ministack.services.cloudformation import _stacks

from .containers.engine import Engine

if TYPE_CHECKING:
    from .context import Context


def snapshot(context: Context) -> dict[str, Any]:
    """Stacks, services, tasks, load balancers and sessions of every account."""
    stacks = _stack_list()
    services = _service_list()
    accounts = {entry["account"] for entry in (*stacks, *services)} | {account for account, _ in iam._roles._data}
    return {
        "engine": "process" if isinstance(ecs._docker, Engine) else "docker",
        "region": context.settings.region,
        "persist": context.settings.persist,
        "accounts": sorted(accounts),
        "stacks": stacks,
        "services": services,
        "tasks": _task_list(),
        "load_balancers": _balancer_list(),
        "sessions": context.sessions.snapshot(),
    }


def _stack_list() -> list[dict[str, Any]]:
    return [
        {"account": scope[0], "name": stack["StackName"], "status": stack["StackStatus"]}
        for scope, stack in _stacks.all_items()
        if stack.get("StackStatus") != "DELETE_COMPLETE"
    ]


def _service_list() -> list[dict[str, Any]]:
    return [
        {
            "account": scope[0],
            "name": service["serviceName"],
            "desired": service["desiredCount"],
            "running": service["runningCount"],
            "deployments": [deployment.get("rolloutState") for deployment in service["deployments"]],
        }
        for scope, service in ecs._services.all_items()
        if service.get("status") == "ACTIVE"
    ]


def _task_list() -> list[dict[str, Any]]:
    engine = ecs._docker if isinstance(ecs._docker, Engine) else None
    listed = []
    for scope, task in ecs._tasks.all_items():
        containers = engine.containers.of_task(task["taskArn"]) if engine else []
        if task.get("lastStatus") == "STOPPED" and not containers:
            continue
        listed.append(
            {
                "account": scope[0],
                "id": task["taskArn"].rsplit("/", 1)[-1],
                "service": task.get("group", "").removeprefix("service:"),
                "status": "DRAINING" if task["lastStatus"] == "STOPPED" else task["lastStatus"],
                "health": task.get("healthStatus", "UNKNOWN"),
                "address": ecs._task_ip(task),
                "pids": [container.running_child.pid for container in containers],
            }
        )
    return listed


def _balancer_list() -> list[dict[str, Any]]:
    return [
        {
            "account": scope[0],
            "name": balancer["LoadBalancerName"],
            "address": balancer["DNSName"],
            "ports": sorted(
                int(listener["Port"])
                for _, listener in alb._listeners.all_items()
                if listener["LoadBalancerArn"] == balancer["LoadBalancerArn"]
            ),
        }
        for scope, balancer in alb._lbs.all_items()
    ]
