"""The way of a new version to an agent's callers: endpoint `candidate`, checks, where wanted a canary, endpoint `live`.

CloudFormation makes them in this order. What was behind `live` before stays behind the endpoint `previous`: AgentCore
deletes versions that no endpoint holds, and a rollback has to be one update of an endpoint. A canary has an endpoint of
its own, because `candidate` moves to a version before its checks, and callers may be there. While one runs, `live` and
`previous` stay where they are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_bedrockagentcore as agentcore
from constructs import Construct

from stacks.names import CANARY, CANARY_TYPE, CANDIDATE, GATE_TYPE, LIVE, PREVIOUS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.base import EnvironmentStack

_TIMEOUT_SECONDS = 960


@dataclass(frozen=True, slots=True)
class Release:
    """What is checked.

    Attributes:
        agent: Id of the agent.
        protocol: What its runtime serves.
        bundle: Hash of its bundle.
        code: Hash of its code artefact.
        role_arn: ARN of its execution role.
        plan: Its checks (`stacks.check_plan`).
        settings: What else of its runtime makes a difference to its answers.
    """

    agent: str
    protocol: str
    bundle: str
    code: str
    role_arn: str
    plan: Mapping[str, object]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """How a new version begins.

    Attributes:
        service_token: Who begins canaries.
        settings: Share, time and limits (`stacks.canary`).
    """

    service_token: str
    settings: str


class Gate(Construct):
    """Endpoints of a runtime, and what lets a version pass.

    Args:
        scope: The agent's stack.
        construct_id: Id in the stack.
        runtime: The runtime.
        release: What is checked.
        service_token: Who checks.
        canary: How a new version begins, if not with all new sessions.
    """

    def __init__(
        self,
        scope: EnvironmentStack,
        construct_id: str,
        *,
        runtime: agentcore.CfnRuntime,
        release: Release,
        service_token: str,
        canary: CanaryPlan | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stack = scope
        self._runtime = runtime
        newest = runtime.attr_agent_runtime_version
        candidate = self._add_endpoint("Candidate", CANDIDATE, newest)
        checks = cdk.CustomResource(
            self,
            "Checks",
            resource_type=GATE_TYPE,
            service_token=service_token,
            service_timeout=cdk.Duration.seconds(_TIMEOUT_SECONDS),
            properties={
                "Agent": release.agent,
                "Environment": scope.target.name,
                "RuntimeArn": runtime.attr_agent_runtime_arn,
                "Version": newest,
                "Endpoint": CANDIDATE,
                "Protocol": release.protocol,
                "Bundle": release.bundle,
                "Code": release.code,
                "Role": release.role_arn,
                "Settings": dict(release.settings),
                "Plan": json.dumps(release.plan, sort_keys=True, ensure_ascii=False),
            },
        )
        checks.node.add_dependency(candidate)
        previous = checks.get_att_string("Previous")
        if canary:
            begun = self._add_canary(canary, release, checks)
            newest, previous = begun.get_att_string("Live"), begun.get_att_string("Previous")
        live = self._add_endpoint("Live", LIVE, newest)
        live.node.add_dependency(checks)
        self._add_endpoint("Previous", PREVIOUS, previous)

    def _add_canary(self, canary: CanaryPlan, release: Release, checks: cdk.CustomResource) -> cdk.CustomResource:
        """The endpoint first: by the route callers find the version there."""
        newest = self._runtime.attr_agent_runtime_version
        endpoint = self._add_endpoint("CanaryEndpoint", CANARY, newest)
        endpoint.node.add_dependency(checks)
        begun = cdk.CustomResource(
            self,
            "Canary",
            resource_type=CANARY_TYPE,
            service_token=canary.service_token,
            properties={
                "Agent": release.agent,
                "RuntimeArn": self._runtime.attr_agent_runtime_arn,
                "Version": newest,
                "Gate": checks.ref,
                "Previous": checks.get_att_string("Previous"),
                "Settings": canary.settings,
                # A change of tags writes to the endpoints too, and would take them to where they were then.
                "Tags": json.dumps(self._stack.target.tags, sort_keys=True),
            },
        )
        begun.node.add_dependency(endpoint)
        return begun

    def _add_endpoint(self, construct_id: str, name: str, version: str) -> agentcore.CfnRuntimeEndpoint:
        runtime_id = self._runtime.attr_agent_runtime_id
        endpoint = agentcore.CfnRuntimeEndpoint(
            self._stack, construct_id, name=name, agent_runtime_id=runtime_id, agent_runtime_version=version
        )
        # AgentCore would make the group without a retention at the first line that it writes.
        group = self._stack.add_log_group(
            f"{construct_id}Logs", name=f"/aws/bedrock-agentcore/runtimes/{runtime_id}-{name}"
        )
        endpoint.add_resource_dependency(group)
        return endpoint
