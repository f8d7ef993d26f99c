"""The environment's gateway: one LiteLLM proxy for all of its agents."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs

from gateway.compile import compile_config
from gateway.settings import MASTER_KEY
from gateway.target import GatewayTarget
from stacks.assets import add_bytes
from stacks.base import EnvironmentStack
from stacks.constructs.litellm_service import GatewayNetwork, LiteLLMService
from stacks.nag import acknowledge_log_streams
from stacks.names import GATEWAY_PORT

if TYPE_CHECKING:
    from gateway.settings import GatewaySettings
    from stacks.environments import Environment
    from stacks.network_stack import NetworkStack


class GatewayStack(EnvironmentStack):
    """LiteLLM with the compiled `gateway.yaml`.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.
        network: The network that it stands in.
        settings: The user's `gateway.yaml`.

    Attributes:
        url: Address for the agents' stacks, which have to depend on this one.
    """

    def __init__(
        self,
        scope: cdk.Stage,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkStack,
        settings: GatewaySettings,
    ) -> None:
        super().__init__(scope, construct_id, environment=environment, description="LiteLLM gateway")
        content = compile_config(settings, _target(environment)).encode()
        config = add_bytes(self, content, sha256=hashlib.sha256(content).hexdigest(), suffix=".yaml")
        group = self.add_log_group("Logs")
        service = LiteLLMService(
            self,
            "LiteLLM",
            environment=environment,
            network=GatewayNetwork(
                vpc=network.vpc,
                subnets=ec2.SubnetSelection(subnets=network.subnets.subnets),
                clients=network.agent_security_group,
            ),
            config=config,
            secrets=[MASTER_KEY, *settings.secret_names],
            log_group=logs.LogGroup.from_log_group_name(self, "LogGroup", group.ref),
        )
        acknowledge_log_streams(service.execution_role, self, "Logs")
        self.bound_roles()
        cdk.CfnOutput(self, "Url", value=_url(service.host), description="Address of the gateway inside the VPC")
        self.url = _url(self.export(service.host))


def _target(environment: Environment) -> GatewayTarget:
    return GatewayTarget(execution_mode=environment.execution_mode, tasks=environment.gateway.tasks)


def _url(host: str) -> str:
    return f"http://{host}:{GATEWAY_PORT}"
