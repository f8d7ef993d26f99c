"""A rollback is one update of one endpoint, and comes to an end in every way that AgentCore may answer."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from agent_runtime.errors import EnvironmentFault, InputError
from strandline import execution_roles
from strandline.endpoints import Endpoints
from strandline.invocation import Runtime

RUNTIME = Runtime("arn:aws:bedrock-agentcore:eu-west-1:111111111111:runtime/production_tide-0123456789", "HTTP")
NAMED = {"agentRuntimeId": "production_tide-0123456789", "endpointName": "live"}
NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


@pytest.fixture
def control():
    keys = {"aws_access_key_id": "1", "aws_secret_access_key": "2"}
    client = boto3.client("bedrock-agentcore-control", region_name="eu-west-1", **keys)
    with Stubber(client) as stubber:
        yield stubber


def endpoints(control):
    return Endpoints(SimpleNamespace(client=lambda _: control.client), RUNTIME, sleep=lambda _: None)


def looked(status, version, **more):
    arn = f"{RUNTIME.arn}/runtime-endpoint/live"
    return {
        **{"name": "live", "id": "live", "status": status, "liveVersion": version, "agentRuntimeEndpointArn": arn},
        **{"agentRuntimeArn": RUNTIME.arn, "createdAt": NOW, "lastUpdatedAt": NOW, **more},
    }


def updated(control):
    control.add_response(
        "update_agent_runtime_endpoint",
        {
            **{"status": "UPDATING", "createdAt": NOW, "lastUpdatedAt": NOW, "targetVersion": "4"},
            **{"agentRuntimeArn": RUNTIME.arn, "agentRuntimeEndpointArn": f"{RUNTIME.arn}/runtime-endpoint/live"},
        },
        {**NAMED, "agentRuntimeVersion": "4"},
    )


def test_live_is_moved_by_one_update_and_awaited(control):
    updated(control)
    for answer in (looked("UPDATING", "5"), looked("READY", "5"), looked("READY", "4")):
        control.add_response("get_agent_runtime_endpoint", answer, NAMED)

    endpoints(control).move_live("4")

    control.assert_no_pending_responses()


def test_what_agentcore_says_of_its_failure_is_told(control):
    updated(control)
    control.add_response("get_agent_runtime_endpoint", looked("UPDATE_FAILED", "5", failureReason="no capacity"), NAMED)

    with pytest.raises(EnvironmentFault, match="did not move live: no capacity"):
        endpoints(control).move_live("4")


def test_a_refusal_is_told(control):
    control.add_client_error("update_agent_runtime_endpoint", "ConflictException", "being updated")

    with pytest.raises(EnvironmentFault, match=r"does not move live \(ConflictException\)\.$"):
        endpoints(control).move_live("4")


def test_a_version_that_is_gone_is_told_with_those_that_are_there(control):
    control.add_client_error("get_agent_runtime", "ResourceNotFoundException")
    versions = [
        {
            **{
                "agentRuntimeArn": RUNTIME.arn,
                "agentRuntimeId": NAMED["agentRuntimeId"],
                "agentRuntimeVersion": number,
            },
            **{"agentRuntimeName": "production_tide", "lastUpdatedAt": NOW, "status": "READY", "description": "Tides."},
        }
        for number in ("2", "10")
    ]
    control.add_response("list_agent_runtime_versions", {"agentRuntimes": versions})

    with pytest.raises(InputError, match="no version 7: AgentCore keeps 10, 2"):
        endpoints(control).version("7")


class Iam:
    """IAM's roles below the environment's path."""

    def __init__(self, **roles):
        self.roles = roles
        self.policies = dict.fromkeys(roles, "Agent")

    def get_paginator(self, _):
        roles = [
            {"Arn": f"arn:aws:iam::1:role/strandline/production/tide/{name}", "Path": "/strandline/production/tide/"}
            for name in self.roles
        ]
        return SimpleNamespace(paginate=lambda PathPrefix: [{"Roles": roles}])

    def get_role(self, RoleName):
        created, used = self.roles[RoleName]
        last = {"LastUsedDate": used} if used else {}
        return {"Role": {"RoleName": RoleName, "CreateDate": created, "RoleLastUsed": last}}

    def list_role_policies(self, RoleName):
        return {"PolicyNames": [self.policies[RoleName]]}

    def delete_role_policy(self, RoleName, PolicyName):
        assert self.policies.pop(RoleName) == PolicyName

    def delete_role(self, RoleName):
        assert RoleName not in self.policies
        del self.roles[RoleName]


def test_roles_go_that_no_endpoint_leads_to_and_nobody_has_used_for_a_day(monkeypatch):
    now = dt.datetime.now(dt.UTC)
    old, fresh = now - dt.timedelta(days=3), now - dt.timedelta(hours=7)
    iam = Iam(live=(old, None), unused=(old, None), running=(old, fresh), new=(fresh, None), idle=(old, old))
    target = SimpleNamespace(client=lambda _: iam, environment=SimpleNamespace(name="production"))
    held = {"arn:aws:iam::1:role/strandline/production/tide/live"}
    monkeypatch.setattr(execution_roles, "_roles_in_use", lambda *_: held)

    assert execution_roles.remove_unused_roles(target) == ["idle", "unused"]
    assert set(iam.roles) == {"live", "running", "new"}
