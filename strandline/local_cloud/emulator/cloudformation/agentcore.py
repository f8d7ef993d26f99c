# mypy: disable-error-code="import-not-found"
"""AWS::BedrockAgentCore::Runtime and ::RuntimeEndpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.services import bedrock_agentcore as service

from ..agentcore.control import Conflict, NotFound, Runtimes
from ..agentcore.shapes import NAME, Invalid, endpoint_body, runtime_body
from .registry import Made, Properties, ResourceType

if TYPE_CHECKING:
    from ..context import Context

_ERROR_STATUS = 300


def types(context: Context) -> dict[str, ResourceType]:
    """The types of this module."""
    runtimes = RuntimeType(Runtimes(context.sessions))
    return {
        "AWS::BedrockAgentCore::Runtime": ResourceType(
            runtimes.create, runtimes.delete, runtimes.update, replacing=("AgentRuntimeName",), blocking=True
        ),
        "AWS::BedrockAgentCore::RuntimeEndpoint": ResourceType(
            create_endpoint, delete_endpoint, update_endpoint, replacing=("Name", "AgentRuntimeId")
        ),
    }


class RuntimeType:
    """A runtime; `Ref` is its id."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes

    def create(self, _logical_id: str, properties: Properties, _stack: str) -> Made:
        """Version 1."""
        try:
            record = self._runtimes.create(runtime_body(properties))
        except (Invalid, Conflict) as fault:
            raise _failed(fault) from fault
        return record["agentRuntimeId"], _runtime_attributes(record)

    def update(self, runtime_id: str, old: Properties, new: Properties, _stack: str) -> Made:
        """The next version, unless only tags differ."""
        try:
            if _without_tags(old) == _without_tags(new):
                record = self._runtimes.find(runtime_id)
                record["_tags"] = new.get("Tags", {})
            else:
                record = self._runtimes.update(runtime_id, runtime_body(new))
        except (Invalid, NotFound) as fault:
            raise _failed(fault) from fault
        return runtime_id, _runtime_attributes(record)

    def delete(self, runtime_id: str, _properties: Properties) -> None:
        """Gone already is gone."""
        try:
            self._runtimes.delete(runtime_id)
        except NotFound:
            return


def create_endpoint(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """A named endpoint, at the version it is told or the newest; `Ref` is its ARN."""
    try:
        body = endpoint_body(properties)
    except Invalid as fault:
        raise _failed(fault) from fault
    runtime_id = str(body.pop("agentRuntimeId", ""))
    name = str(body.get("name", ""))
    if not NAME.fullmatch(name):
        raise _failed(Invalid(f"Value '{name}' at 'name' must match {NAME.pattern}"))
    answer = _answer(service._create_agent_runtime_endpoint(runtime_id, json.dumps(body).encode()))
    return answer["agentRuntimeEndpointArn"], _endpoint_attributes(answer["agentRuntimeEndpointArn"])


def update_endpoint(arn: str, _old: Properties, new: Properties, _stack: str) -> Made:
    """Move the endpoint if it is told a version; without one it stays where it is."""
    try:
        body = endpoint_body(new)
    except Invalid as fault:
        raise _failed(fault) from fault
    request = {member: body.get(member) for member in ("agentRuntimeVersion", "description") if member in body}
    _answer(service._update_agent_runtime_endpoint(*_parts(arn), json.dumps(request).encode()))
    return arn, _endpoint_attributes(arn)


def delete_endpoint(arn: str, _properties: Properties) -> None:
    """Gone already is gone."""
    service._delete_agent_runtime_endpoint(*_parts(arn))


def _parts(endpoint_arn: str) -> tuple[str, str]:
    runtime_arn, name = endpoint_arn.split("/runtime-endpoint/")
    return runtime_arn.rsplit("/", 1)[-1], name


def _without_tags(properties: Properties) -> Properties:
    return {key: value for key, value in properties.items() if key != "Tags"}


def _runtime_attributes(record: Properties) -> Properties:
    identity = record["workloadIdentityDetails"]["workloadIdentityArn"]
    return {
        "AgentRuntimeArn": record["agentRuntimeArn"],
        "AgentRuntimeId": record["agentRuntimeId"],
        "AgentRuntimeVersion": record["agentRuntimeVersion"],
        "CreatedAt": record["createdAt"],
        "LastUpdatedAt": record["lastUpdatedAt"],
        "Status": record["status"],
        "FailureReason": "",
        "WorkloadIdentityDetails": {"WorkloadIdentityArn": identity},
        "WorkloadIdentityDetails.WorkloadIdentityArn": identity,
    }


def _endpoint_attributes(arn: str) -> Properties:
    record = _answer(service._get_agent_runtime_endpoint(*_parts(arn)))
    return {
        "AgentRuntimeEndpointArn": arn,
        "AgentRuntimeArn": record["agentRuntimeArn"],
        "Id": record["id"],
        "LiveVersion": record["liveVersion"],
        "TargetVersion": record["targetVersion"],
        "CreatedAt": record["createdAt"],
        "LastUpdatedAt": record["lastUpdatedAt"],
        "Status": record["status"],
        "FailureReason": "",
    }


def _answer(response: tuple[int, Any, bytes]) -> Properties:
    status, _, body = response
    answer: Properties = json.loads(body)
    if status >= _ERROR_STATUS:
        raise _failed(Invalid(str(answer.get("message", answer))))
    return answer


def _failed(fault: Exception) -> ValueError:
    """The failure as CloudFormation words it."""
    kinds = {Conflict: "AlreadyExists", NotFound: "NotFound"}
    code = kinds.get(type(fault), "InvalidRequest")
    return ValueError(f'Resource handler returned message: "{fault}" (HandlerErrorCode: {code})')
