"""The environment's gateway: one LiteLLM proxy for all of its agents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs

from gateway.compile import compile_config
from gateway.image import read_image_lock
from stacks.assets import add_bytes
from stacks.base import EnvironmentStack
from stacks.constructs.gateway_alarms import GatewayAlarms
from stacks.constructs.gateway_keys import GatewayKeys
from stacks.constructs.litellm_service import GatewayNetwork, LiteLLMService, build_cluster
from stacks.constructs.litellm_task import LiteLLMTask, TaskNeeds
from stacks.constructs.migration import Migration
from stacks.constructs.own_key_schedule import OwnKeySchedule
from stacks.gateway_bundle import build_gateway_bundle
from stacks.gateway_rights import find_rights
from stacks.gateway_target import own_keys
from stacks.nag import acknowledge, acknowledge_log_streams
from stacks.names import (
    GATEWAY_ADMIN_PORT,
    GATEWAY_PORT,
    KEY_MAKER_OUTPUT,
    SALT_KEY,
    next_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.settings import GatewaySettings
    from gateway.target import GatewayTarget
    from stacks.data_stack import GatewayData
    from stacks.environments import Environment
    from stacks.network_stack import NetworkStack

_REFERENCE = re.compile(r"os\.environ/([A-Z_][A-Z0-9_]*)")


class GatewayStack(EnvironmentStack):
    """LiteLLM with the compiled `gateway.yaml`.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.
        network: The network that it stands in.
        settings: The user's `gateway.yaml`.
        target: What of the environment its configuration depends on.
        scenarios: What the simulator answers by, in simulation.
        data: Its database and Redis, where it has any.

    Attributes:
        url: Address for the agents' stacks, which have to depend on this one.
        image: The container image of its tasks.
        service: The service, its tasks and their doors.
        task: What each task is.
        key_maker: What mints the agents' keys, where the gateway has a database.
    """

    def __init__(
        self,
        scope: cdk.Stage,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkStack,
        settings: GatewaySettings,
        target: GatewayTarget,
        scenarios: Mapping[str, bytes],
        data: GatewayData | None = None,
    ) -> None:
        super().__init__(scope, construct_id, environment=environment, description="LiteLLM gateway")
        config = compile_config(settings, target)
        bundle = build_gateway_bundle(config, scenarios if target.simulates else {})
        rights = find_rights(settings, environment, target)
        self.image = self._image()
        log_group = logs.LogGroup.from_log_group_name(self, "LogGroup", self.add_log_group("Logs").ref)
        self.task = LiteLLMTask(
            self,
            "Task",
            environment=environment,
            needs=TaskNeeds(
                image=self.image,
                bundle=add_bytes(self, bundle.content, sha256=bundle.sha256, suffix=".zip"),
                secrets=_secrets(environment, settings, config),
                variables=data.variables if data else {},
                statements=[*rights.statements, *(data.statements if data else ())],
            ),
            log_group=log_group,
        )
        self.cluster = build_cluster(self, environment, network.vpc)
        place = _place(network)
        clients = self._data_clients(data) if data else None
        self.service = LiteLLMService(
            self,
            "LiteLLM",
            environment=environment,
            network=place,
            cluster=self.cluster,
            task=self.task,
            data_clients=clients,
        )
        if data and data.administrator and clients:
            migration = Migration(
                self,
                "Migration",
                image=self.image,
                administrator=data.administrator,
                clients=clients,
                cluster=self.cluster,
                network=place,
                log_group=log_group,
            )
            self.service.service.node.add_dependency(migration)
        keys = self._build_key_maker(network)
        self.key_maker = self.export(keys.service_token) if keys else None
        rotating = {"RotationFailed": keys.function_name} if keys else {}
        if days := environment.rotation_days:
            own = OwnKeySchedule(self, "OwnKeys", service=self.service.service, days=days)
            rotating["OwnKeyRotationFailed"] = own.function_name
        GatewayAlarms(
            self,
            "Watch",
            environment=environment,
            service=self.service,
            log_group=log_group,
            rotating=rotating,
        )
        acknowledge_log_streams(self.task.execution_role, self, "Logs")
        acknowledge(
            self.task.role, {f"AwsSolutions-IAM5[Resource::{arn}]": reason for arn, reason in rights.wildcards.items()}
        )
        self.bound_roles()
        self.url = self._tell_addresses()

    def _data_clients(self, data: GatewayData) -> ec2.ISecurityGroup:
        """Who reaches the data; a rule added here would make the data's stack depend on this one."""
        return ec2.SecurityGroup.from_security_group_id(self, "DataClients", data.clients_id, mutable=False)

    def _build_key_maker(self, network: NetworkStack) -> GatewayKeys | None:
        """What mints the agents' keys, where there is a database to keep them in."""
        internal = self.service.internal
        if not self.target.gateway.is_managed or internal is None:
            return None
        caller = ec2.SecurityGroup(
            self, "KeysSecurityGroup", vpc=network.vpc, description="What mints the keys of the agents"
        )
        internal.allow_admin(caller, "What mints the keys of the agents")
        keys = GatewayKeys(
            self,
            "Keys",
            admin_url=f"http://{self.service.host}:{GATEWAY_ADMIN_PORT}",
            subnet_ids=network.subnets.subnet_ids,
            security_group_id=caller.security_group_id,
        )
        # The first key is minted when there is somebody to ask.
        keys.node.add_dependency(self.service.service)
        cdk.CfnOutput(
            self, KEY_MAKER_OUTPUT, value=keys.function_name, description="What mints and rotates the agents' keys"
        )
        return keys

    def _image(self) -> str:
        """The image by its digest. Where nobody has looked that up, it is a question to whoever deploys."""
        image = read_image_lock().of(managed=self.target.gateway.is_managed)
        if image.digest or self.target.is_emulated:
            return image.name
        digest = cdk.CfnParameter(
            self,
            "ImageDigest",
            allowed_pattern="sha256:[0-9a-f]{64}",
            description=f"Digest of {image.name}: gateway/image.lock has none, run `strandline gateway pin-image`",
        )
        cdk.Annotations.of(self).add_info(
            f"gateway/image.lock has no digest of {image.name}, and nothing is deployed by a tag: "
            "run `strandline gateway pin-image` where the registry can be reached."
        )
        return f"{image.repository}@{digest.value_as_string}"

    def _tell_addresses(self) -> str:
        url = f"http://{self.service.host}:{GATEWAY_PORT}"
        cdk.CfnOutput(self, "Url", value=url, description="Address of the gateway inside the VPC")
        if self.service.internal and self.service.internal.has_admin:
            cdk.CfnOutput(
                self,
                "AdminUrl",
                value=f"http://{self.service.host}:{GATEWAY_ADMIN_PORT}",
                description="Address of keys, spend and the UI, for operators",
            )
        if self.service.public:
            hostname = self.target.gateway.hostname
            cdk.CfnOutput(self, "PublicUrl", value=f"https://{hostname}", description="Address for callers outside")
            cdk.CfnOutput(
                self,
                "PublicBalancer",
                value=self.service.public.host,
                description=f"What the DNS record of {hostname} has to point at",
            )
        return f"http://{self.export(self.service.host)}:{GATEWAY_PORT}"


def _secrets(environment: Environment, settings: GatewaySettings, config: str) -> list[str]:
    """What tasks get of the environment's secrets: their own keys, and what the configuration refers to."""
    rotated = own_keys(environment)
    following = [next_key(key) for key, is_followed in rotated.items() if is_followed]
    own = [*rotated, *following, *([SALT_KEY] if environment.gateway.is_managed else [])]
    referred = set(_REFERENCE.findall(config))
    return [*own, *sorted(referred.intersection(settings.secret_names) - set(own))]


def _place(network: NetworkStack) -> GatewayNetwork:
    private = ec2.SubnetSelection(subnets=network.subnets.subnets)
    public = ec2.SubnetSelection(subnets=network.public_subnets.subnets) if network.public_subnets else None
    return GatewayNetwork(
        vpc=network.vpc,
        private=private,
        public=public,
        tasks=public if network.tasks_are_public and public else private,
        public_addresses=network.tasks_are_public,
        clients=network.agent_security_group,
    )
