# mypy: disable-error-code="import-not-found"
"""AWS::EC2::FlowLog: on record in MiniStack's EC2, and without traffic to log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ministack.services import ec2

from .registry import Made, Properties, ResourceType

if TYPE_CHECKING:
    from ..context import Context

_IDENTITY = (
    "DeliverLogsPermissionArn",
    "LogDestination",
    "LogDestinationType",
    "LogGroupName",
    "ResourceId",
    "ResourceType",
    "TrafficType",
)


def types(context: Context) -> dict[str, ResourceType]:
    """The types of this module."""
    del context
    return {"AWS::EC2::FlowLog": ResourceType(create, delete, update, replacing=_IDENTITY)}


def create(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """A flow log of one VPC, subnet or network interface."""
    before = set(ec2._flow_logs)
    names = ("ResourceType", "TrafficType", "LogDestinationType", "LogDestination", "LogGroupName")
    parameters = {name: [properties[name]] for name in names if name in properties}
    ec2._create_flow_logs({"ResourceId.1": [properties["ResourceId"]], **parameters})
    flow_log_id = next(key for key in ec2._flow_logs if key not in before)
    ec2._tags[flow_log_id] = properties.get("Tags", [])
    return flow_log_id, {"Id": flow_log_id}


def update(flow_log_id: str, _old: Properties, new: Properties, _stack: str) -> Made:
    """Tags."""
    ec2._tags[flow_log_id] = new.get("Tags", [])
    return flow_log_id, {"Id": flow_log_id}


def delete(flow_log_id: str, _properties: Properties) -> None:
    """Forget it."""
    ec2._flow_logs.pop(flow_log_id, None)
    ec2._tags.pop(flow_log_id, None)
