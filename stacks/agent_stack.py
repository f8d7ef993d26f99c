"""One agent in one environment: its AgentCore runtime, role, endpoints and the gate before `live`.

L1 constructs on purpose: the L2 runtime brings a role and grants of its own, and a thousand agents feel its cost.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_bedrockagentcore as agentcore
from aws_cdk import aws_iam as iam

from stacks.assets import add_bytes, add_code_artefact, promoted_artefact
from stacks.base import EnvironmentStack
from stacks.check_plan import check_plan
from stacks.constructs.execution_role import RoleNeeds, permissions_policy, trust_policy, wildcard_reasons
from stacks.constructs.gate import CanaryPlan, Gate, Release
from stacks.constructs.gateway_keys import AgentKey
from stacks.nag import acknowledge
from stacks.names import permissions_boundary_arn, role_path, secret_prefix
from stacks.releases.project import PinnedArtefact
from stacks.simulation import asks_gateway, gateway_key_in, is_simulated, network_mode_in, secret_names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_runtime.blueprint import Protocol
    from agent_runtime.bundle import Bundle
    from agent_runtime.loader import LoadedBlueprint
    from stacks.assets import S3Object
    from stacks.environments import Environment
    from stacks.packaging import CodeArtefact

_A2A_HEADERS = ("A2A-Version", "A2A-Extensions")


@dataclass(frozen=True, slots=True)
class Payload:
    """What an agent's runtime runs.

    Attributes:
        bundle: The agent.
        artefact: The code: built here, or promoted before.
    """

    bundle: Bundle
    artefact: CodeArtefact | PinnedArtefact


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What agents of an environment share.

    Attributes:
        gate: Who lets new versions pass.
        gateway_url: Address of the environment's gateway, if it has one.
        subnet_ids: Subnets of agents with network mode PRIVATE.
        security_group_ids: Security groups of the same.
        gateway_keys: Who mints the agents' keys, where the gateway has a database.
        canaries: Who begins canaries; nothing where new versions get all sessions at once.
    """

    gate: str
    gateway_url: str | None
    subnet_ids: Sequence[str]
    security_group_ids: Sequence[str]
    gateway_keys: str | None = None
    canaries: str | None = None


class AgentStack(EnvironmentStack):
    """One agent.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.
        agent: The agent with its prompt.
        payload: What its runtime runs.
        surroundings: What it shares with the environment's other agents.
    """

    def __init__(
        self,
        scope: cdk.Stage,
        construct_id: str,
        *,
        environment: Environment,
        agent: LoadedBlueprint,
        payload: Payload,
        surroundings: Surroundings,
    ) -> None:
        blueprint = agent.blueprint
        super().__init__(scope, construct_id, environment=environment, description=f"agent {blueprint.id}")
        self._blueprint = blueprint
        self._variables = agent.variables
        self._surroundings = surroundings
        self._python = payload.artefact.runtime
        self._runtime_name = blueprint.runtime_name(environment.name)
        bundle = payload.bundle
        code = self._add_code(payload.artefact)
        bundle_object = add_bytes(
            self, bundle.content, sha256=bundle.sha256, suffix=".json", folder=f"bundles/{self._runtime_name}/"
        )
        role = self._build_role(code, bundle_object)
        runtime = self._build_runtime(role, code, bundle_object)
        self._build_key(runtime)
        release = Release(
            blueprint.id,
            blueprint.runtime.protocol,
            bundle.sha256,
            payload.artefact.sha256,
            role.attr_arn,
            check_plan(agent, environment),
            {
                **self._environment_variables(bundle_object),
                "Platform": blueprint.runtime.platform_version,
                "Network": network_mode_in(blueprint, environment),
            },
        )
        Gate(
            self,
            "Gate",
            runtime=runtime,
            release=release,
            service_token=surroundings.gate,
            canary=self._canary_plan(),
        )
        cdk.CfnOutput(self, "Agent", value=blueprint.id, description="Id of the agent")
        cdk.CfnOutput(self, "RuntimeArn", value=runtime.attr_agent_runtime_arn, description="For InvokeAgentRuntime")
        cdk.CfnOutput(self, "Protocol", value=blueprint.runtime.protocol, description="What the runtime serves")

    def _canary_plan(self) -> CanaryPlan | None:
        """None without the lines of metrics that a canary is watched by."""
        settings, begins = self.target.canary, self._surroundings.canaries
        if settings is None or begins is None or not self._blueprint.observability.enabled:
            return None
        return CanaryPlan(begins, settings.encode())

    @property
    def _secret_variables(self) -> list[str]:
        own = list(secret_names_in(self._blueprint, self.target))
        return [*own, self._gateway_key] if self._gateway_key else own

    @property
    def _gateway_key(self) -> str | None:
        return gateway_key_in(self._blueprint, self.target)

    def _build_key(self, runtime: agentcore.CfnRuntime) -> None:
        if self._gateway_key and self._surroundings.gateway_keys:
            key = AgentKey(self, "GatewayKey", blueprint=self._blueprint, service_token=self._surroundings.gateway_keys)
            runtime.node.add_dependency(key)

    def _build_role(self, code: S3Object, bundle: S3Object) -> iam.CfnRole:
        """A role for each set of rights: a change of rights makes a new role, and with it a new version.

        One role that is changed in place would take a right from the version that callers use before the new version
        has passed its checks, and from the version that a rollback goes back to.
        """
        needs = RoleNeeds(self._runtime_name, code, bundle, self._secret_variables)
        trust = trust_policy(self.target, self._runtime_name)
        permissions = permissions_policy(self.target, self._blueprint, needs)
        boundary = permissions_boundary_arn(self.target)
        role = iam.CfnRole(
            self,
            f"ExecutionRole{_hash_of(trust, permissions, boundary)}",
            path=role_path(self.target, self._blueprint.id),
            assume_role_policy_document=trust,
            description=f"Execution role of the agent {self._blueprint.id} in {self.target.name}",
            permissions_boundary=boundary,
            policies=[iam.CfnRole.PolicyProperty(policy_name="Agent", policy_document=permissions)],
        )
        # Sessions of the version before run on with their role; `strandline deploy` takes away those that nobody uses.
        role.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.RETAIN_EXCEPT_ON_CREATE
        role.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN
        acknowledge(role, wildcard_reasons(self.target, self._blueprint, needs))
        return role

    def _add_code(self, artefact: CodeArtefact | PinnedArtefact) -> S3Object:
        if isinstance(artefact, PinnedArtefact):
            return promoted_artefact(self.target, artefact)
        return add_code_artefact(self, artefact)

    def _build_runtime(self, role: iam.CfnRole, code: S3Object, bundle: S3Object) -> agentcore.CfnRuntime:
        limits = self._blueprint.runtime
        return agentcore.CfnRuntime(
            self,
            "Runtime",
            agent_runtime_name=self._runtime_name,
            description=self._blueprint.description or self._blueprint.name,
            role_arn=role.attr_arn,
            platform_version=limits.platform_version,
            protocol_configuration=limits.protocol,
            lifecycle_configuration=agentcore.CfnRuntime.LifecycleConfigurationProperty(
                idle_runtime_session_timeout=limits.idle_timeout_minutes * 60,
                max_lifetime=limits.max_lifetime_minutes * 60,
            ),
            network_configuration=self._network_configuration(),
            agent_runtime_artifact=_zip(code, self._python),
            environment_variables=self._environment_variables(bundle),
            request_header_configuration=_headers_of(limits.protocol),
            tags={
                "strandline:agent": self._blueprint.id,
                "strandline:version": self._blueprint.version,
                **{f"strandline:tag:{word}": "" for word in self._blueprint.tags},
            },
        )

    def _network_configuration(self) -> agentcore.CfnRuntime.NetworkConfigurationProperty:
        if network_mode_in(self._blueprint, self.target) == "PUBLIC":
            return agentcore.CfnRuntime.NetworkConfigurationProperty(network_mode="PUBLIC")
        return agentcore.CfnRuntime.NetworkConfigurationProperty(
            network_mode="VPC",
            network_mode_config=agentcore.CfnRuntime.VpcConfigProperty(
                subnets=list(self._surroundings.subnet_ids),
                security_groups=list(self._surroundings.security_group_ids),
            ),
        )

    def _environment_variables(self, bundle: S3Object) -> dict[str, str]:
        """Pointers, and what the user calls no secret: whoever may call GetAgentRuntime reads these.

        Platform V2 takes 1.5 KB in all; `agent_runtime.destination` keeps the user's within what ours leave.
        """
        variables = {
            **self._variables,
            "STRANDLINE_ENVIRONMENT": self.target.name,
            "STRANDLINE_EXECUTION_MODE": self.target.execution_mode,
            "STRANDLINE_BUNDLE": bundle.uri,
            "STRANDLINE_SECRETS": secret_prefix(self.target),
        }
        if asks_gateway(self._blueprint, self.target) and self._surroundings.gateway_url:
            variables["STRANDLINE_GATEWAY_URL"] = self._surroundings.gateway_url
        if is_simulated(self._blueprint, self.target):
            variables["STRANDLINE_SIMULATED"] = "true"
        if self._gateway_key:
            variables["STRANDLINE_GATEWAY_KEY"] = self._gateway_key
        return variables


def _hash_of(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8].upper()


def _headers_of(protocol: Protocol) -> agentcore.CfnRuntime.RequestHeaderConfigurationProperty | None:
    """A2A's own headers, which AgentCore passes to the agent only when they are listed."""
    if protocol != "A2A":
        return None
    return agentcore.CfnRuntime.RequestHeaderConfigurationProperty(request_header_allowlist=list(_A2A_HEADERS))


def _zip(code: S3Object, python: str) -> agentcore.CfnRuntime.AgentRuntimeArtifactProperty:
    """AgentCore's direct code deployment of the artefact."""
    return agentcore.CfnRuntime.AgentRuntimeArtifactProperty(
        code_configuration=agentcore.CfnRuntime.CodeConfigurationProperty(
            code=agentcore.CfnRuntime.CodeProperty(
                s3=agentcore.CfnRuntime.S3LocationProperty(bucket=code.bucket, prefix=code.key)
            ),
            entry_point=["main.py"],
            runtime=python,
        )
    )
