# mypy: disable-error-code="import-not-found"
"""Runtimes and their versions: made, changed and deleted as the service does it, in MiniStack's store."""

from __future__ import annotations

import copy
import json
import logging
from typing import TYPE_CHECKING

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, now_iso
from ministack.services import bedrock_agentcore as service

from .. import roles
from ..redaction import redact
from .session import StartFailure
from .shapes import VERSIONED, Body, Invalid, platform, validate

if TYPE_CHECKING:
    from .sessions import SessionManager

logger = logging.getLogger("strandline.agentcore")

_PRINCIPAL = "bedrock-agentcore.amazonaws.com"


class Conflict(Exception):
    """Raised when a name is taken."""


class NotFound(Exception):
    """Raised when there is no such runtime."""


class Runtimes:
    """Creates, updates and deletes runtimes. A version that does not start leaves no trace."""

    def __init__(self, sessions: SessionManager) -> None:
        self._sessions = sessions

    def create(self, body: Body) -> Body:
        """Make a runtime with version 1 and its DEFAULT endpoint.

        Raises:
            Invalid: The service would refuse the request, or the code does not start.
            Conflict: There is a runtime of that name.
        """
        validate(body)
        name = body["agentRuntimeName"]
        if any(record["agentRuntimeName"] == name for record in service._runtimes.values()):
            raise Conflict(f"An agent runtime named {name} already exists")
        runtime_id, now = service._resource_id(name), now_iso()
        record = {
            "agentRuntimeArn": service._runtime_arn(runtime_id),
            "agentRuntimeName": name,
            "agentRuntimeId": runtime_id,
            "agentRuntimeVersion": "1",
            "createdAt": now,
            "lastUpdatedAt": now,
            "status": "READY",
            "workloadIdentityDetails": {"workloadIdentityArn": service._workload_identity_arn(runtime_id)},
            **_versioned(body),
        }
        self._prove(record)
        record["_versions"] = {"1": service._version_snapshot(record)}
        record["_tags"] = body.get("tags", {})
        service._runtimes[runtime_id] = record
        service._endpoints[runtime_id] = {"DEFAULT": service._endpoint_record(record, "DEFAULT", "1")}
        return record

    def update(self, runtime_id: str, body: Body) -> Body:
        """Make the next version; DEFAULT follows it, no other endpoint does. What the request leaves out is unset.

        Raises:
            Invalid: The service would refuse the request, or the code does not start.
            NotFound: There is no such runtime.
        """
        record = self.find(runtime_id)
        validate({"agentRuntimeName": record["agentRuntimeName"], **body})
        now = now_iso()
        kept = {key: value for key, value in record.items() if key not in VERSIONED}
        changed = kept | {
            "agentRuntimeVersion": str(int(record["agentRuntimeVersion"]) + 1),
            "lastUpdatedAt": now,
            **_versioned(body),
        }
        self._prove(changed)
        version = changed["agentRuntimeVersion"]
        changed["_versions"] = record["_versions"] | {version: service._version_snapshot(changed)}
        changed["_tags"] = body.get("tags", record.get("_tags", {}))
        service._runtimes[runtime_id] = changed
        endpoints = service._endpoints[runtime_id]
        endpoints["DEFAULT"].update(targetVersion=version, liveVersion=version, lastUpdatedAt=now)
        service._endpoints[runtime_id] = endpoints
        return changed

    def delete(self, runtime_id: str) -> None:
        """Delete a runtime, its endpoints and its sessions.

        Raises:
            NotFound: There is no such runtime.
        """
        arn = self.find(runtime_id)["agentRuntimeArn"]
        service._delete_agent_runtime(runtime_id)
        self._sessions.stop_runtime(arn)

    def find(self, runtime_id: str) -> Body:
        """The record of a runtime.

        Raises:
            NotFound: There is no such runtime.
        """
        record: Body | None = service._runtimes.get(runtime_id)
        if record is None:
            raise NotFound(f"Agent runtime {runtime_id} was not found")
        return record

    def _prove(self, record: Body) -> None:
        """Show that the version can run: its role, its artefact and, on platform V2, its start."""
        _check_role(record["roleArn"])
        code = record["agentRuntimeArtifact"].get("codeConfiguration")
        if code is None:
            return
        _check_artifact(record["roleArn"], code["code"]["s3"], self._sessions)
        if platform(record) > 1:
            try:
                self._sessions.boot(record)
            except StartFailure as failure:
                version = record["agentRuntimeVersion"]
                raise Invalid(
                    f"Version {version} of {record['agentRuntimeName']} did not start. {redact(str(failure))}"
                ) from None


def _versioned(body: Body) -> Body:
    chosen = {member: copy.deepcopy(body[member]) for member in VERSIONED if body.get(member) is not None}
    return {"networkConfiguration": {"networkMode": "PUBLIC"}} | chosen


def _check_role(role_arn: str) -> None:
    role = roles.find_role(role_arn)
    if role is None:
        raise Invalid(f"Role validation failed for '{role_arn}'. Please verify that the role exists")
    if not roles.trusts(role, _PRINCIPAL):
        raise Invalid(
            f"Role validation failed for '{role_arn}'. Please verify that its trust policy allows {_PRINCIPAL} to "
            "assume it"
        )


def _check_artifact(role_arn: str, location: Body, sessions: SessionManager) -> None:
    """The artefact must be there, and be readable by the execution role or by whoever deploys."""
    sessions.fetch(get_account_id(), location)
    resource = f"arn:aws:s3:::{location['bucket']}/{location['prefix']}"
    try:
        roles.require(role_arn, "s3:GetObject", resource, get_region())
    except roles.Denied as denied:
        if not _caller_may_read(resource):
            raise Invalid(f"Access denied to the code artifact. {denied}") from None


def _caller_may_read(resource: str) -> bool:
    caller = iam_evaluator.caller_arn()
    if caller.endswith(":root"):
        return True
    if ":assumed-role/" not in caller:
        return False
    name = caller.split(":assumed-role/", 1)[1].split("/", 1)[0]
    try:
        roles.require(_role_arn(roles.account_of(caller), name), "s3:GetObject", resource, get_region())
    except roles.Denied:
        return False
    return True


def _role_arn(account: str, name: str) -> str:
    from ministack.services import iam

    record = iam._roles.get_scoped(account, None, name) or {}
    return str(record.get("Arn", f"arn:aws:iam::{account}:role/{name}"))


def read(body: bytes) -> Body:
    """A request's JSON object.

    Raises:
        Invalid: It is none.
    """
    try:
        loaded = json.loads(body or b"{}")
    except ValueError:
        raise Invalid("The request is not JSON") from None
    if not isinstance(loaded, dict):
        raise Invalid("The request is not a JSON object")
    return loaded
