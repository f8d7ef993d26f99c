# mypy: disable-error-code="import-not-found"

"""Mends of MiniStack that belong to no service of ours."""

from __future__ import annotations

import ipaddress
import json
import logging
from typing import Any

import ministack.app as ministack
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region


def apply() -> None:
    """Apply them; once, before the first request."""
    _count_loopback_as_secure()
    _ask_for_tasks_and_services_by_their_names()
    _ask_for_what_is_listed_and_searched()
    _tell_policies_of_conditional_writes()
    logging.getLogger("hypercorn.access").disabled = True


def _count_loopback_as_secure() -> None:
    """The policy of the bootstrap's bucket denies plain HTTP; what never leaves the machine needs no TLS."""
    pin = iam_evaluator.pin_request_origin

    def pin_request_origin(source_ip: str, secure_transport: bool) -> Any:
        return pin(source_ip, secure_transport or _is_loopback(source_ip))

    ministack.pin_request_origin = pin_request_origin


def _ask_for_tasks_and_services_by_their_names() -> None:
    """Who has to do with a task or a service is asked for that; MiniStack asks for the cluster whenever it is named.

    The cluster is a condition of those actions ("Actions, resources, and condition keys for Amazon Elastic Container
    Service", Service Authorization Reference).
    """
    resource_of, context_of = iam_actions.extract_resource_arn, iam_actions.request_tag_context

    def extract_resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> str:
        asked = _asked(body) if service == "ecs" else {}
        prefix, cluster = f"arn:aws:ecs:{region}:{account}", str(asked.get("cluster", "default")).rpartition("/")[2]
        if "taskDefinition" in asked and "serviceName" not in asked and "service" not in asked:
            return _arn(asked["taskDefinition"], f"{prefix}:task-definition/")
        if tasks := asked.get("tasks") or ([asked["task"]] if "task" in asked else []):
            return _arn(tasks[0], f"{prefix}:task/{cluster}/")
        if services := asked.get("services") or ([asked["service"]] if "service" in asked else []):
            return _arn(services[0], f"{prefix}:service/{cluster}/")
        return str(resource_of(service, method, path, headers, body, query, region, account))

    def request_tag_context(service: str, action: str, body: bytes, params: Any) -> dict[str, Any]:
        told: dict[str, Any] = context_of(service, action, body, params)
        cluster = _asked(body).get("cluster") if service == "ecs" else None
        if cluster is None:
            return told
        return {**told, "ecs:cluster": _arn(cluster, f"arn:aws:ecs:{get_region()}:{get_account_id()}:cluster/")}

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_actions.request_tag_context = request_tag_context


def _ask_for_what_is_listed_and_searched() -> None:
    """A path of parameters, and the first of several log groups; MiniStack asks for everything.

    ("Actions, resources, and condition keys" for AWS Systems Manager and for Amazon CloudWatch Logs, Service
    Authorization Reference: GetParametersByPath and StartQuery.)
    """
    resource_of = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> str:
        asked = _asked(body) if service in ("ssm", "logs") else {}
        if service == "ssm" and "Path" in asked:
            return f"arn:aws:ssm:{region}:{account}:parameter{asked['Path'].rstrip('/')}"
        if groups := asked.get("logGroupNames"):
            return f"arn:aws:logs:{region}:{account}:log-group:{groups[0]}"
        return str(resource_of(service, method, path, headers, body, query, region, account))

    iam_actions.extract_resource_arn = extract_resource_arn


def _tell_policies_of_conditional_writes() -> None:
    """Whether a write to S3 is one, which a bucket's policy may ask for; MiniStack knows no such condition.

    ("Actions, resources, and condition keys for Amazon S3", Service Authorization Reference: `s3:if-none-match`.)
    """
    context_of = iam_actions.s3_service_context

    def s3_service_context(action: str, query: Any, path: str, headers: Any) -> dict[str, Any]:
        told: dict[str, Any] = context_of(action, query, path, headers) or {}
        condition = headers.get("if-none-match")
        return {**told, "s3:if-none-match": condition} if condition else told

    iam_actions.s3_service_context = s3_service_context


def _asked(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _arn(name: str, prefix: str) -> str:
    return name if name.startswith("arn:") else f"{prefix}{name}"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
