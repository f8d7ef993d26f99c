# mypy: disable-error-code="import-not-found"
"""AWS::ApplicationAutoScaling::ScalableTarget and ::ScalingPolicy: kept, and never acting.

Locally a service has the number of tasks that its template gives it; nothing scales it on load.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from ministack.core.responses import get_account_id, get_region

from .registry import Made, Properties, ResourceType

if TYPE_CHECKING:
    from ..context import Context

_TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")


def types(context: Context) -> dict[str, ResourceType]:
    """The types of this module."""
    del context
    return {
        "AWS::ApplicationAutoScaling::ScalableTarget": ResourceType(
            create_target, forget, update_target, replacing=_TARGET
        ),
        "AWS::ApplicationAutoScaling::ScalingPolicy": ResourceType(
            create_policy, forget, update_policy, replacing=("PolicyName", *_TARGET, "ScalingTargetId")
        ),
    }


def create_target(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """A target; its id is what names it in the service, `resource|dimension|namespace`."""
    if int(properties["MinCapacity"]) > int(properties["MaxCapacity"]):
        raise ValueError("Maximum capacity cannot be less than minimum capacity")
    target_id = "|".join(str(properties[name]) for name in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
    return target_id, {"Id": target_id}


def update_target(target_id: str, _old: Properties, new: Properties, stack: str) -> Made:
    """Its capacities."""
    create_target("", new, stack)
    return target_id, {"Id": target_id}


def forget(_physical_id: str, _properties: Properties) -> None:
    """There is nothing but the record."""


def create_policy(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """A policy; `Ref` is its ARN."""
    owner = f"{get_region()}:{get_account_id()}"
    arn = f"arn:aws:autoscaling:{owner}:scalingPolicy:{uuid.uuid4()}:policyName/{properties['PolicyName']}"
    return arn, {"Arn": arn}


def update_policy(arn: str, _old: Properties, _new: Properties, _stack: str) -> Made:
    """Its numbers."""
    return arn, {"Arn": arn}
