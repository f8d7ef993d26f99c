"""One task of the gateway: LiteLLM in a container that cannot change itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gateway import server
from stacks.constructs.principals import service_of
from stacks.gateway_bundle import bootstrap_source
from stacks.nag import acknowledge
from stacks.names import GATEWAY_PORT, secret_arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_logs as logs

    from stacks.assets import S3Object
    from stacks.environments import Environment

CONTAINER = "LiteLLM"
USER = "65534:65534"
"""`nobody`, which BerriAI's non-root image is made for; ours too."""

_SCRATCH = "scratch"
_TMP = "/tmp"  # noqa: S108 - a container's own
_OPEN_SCRATCH = f"import os; os.chmod('{_TMP}', 0o1777)"
# A quarter of a vCPU takes four times as long to start as a whole one, which takes about five seconds.
_START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class TaskNeeds:
    """What a task runs on and with.

    Attributes:
        image: The container image.
        bundle: The gateway bundle in S3.
        secrets: Variables that tasks get from Secrets Manager, the master key among them.
        variables: Variables of this environment that are no secret.
        statements: What the proxy may do beside reading its bundle.
    """

    image: str
    bundle: S3Object
    secrets: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    statements: Sequence[iam.PolicyStatement] = ()


class LiteLLMTask(Construct):
    """The task definition and its two roles.

    Args:
        scope: The construct that it is part of.
        construct_id: Id in the scope.
        environment: The environment, for size and names.
        needs: What it runs on and with.
        log_group: Where it logs.

    Attributes:
        definition: The task definition.
        execution_role: What ECS starts tasks with.
        role: What LiteLLM itself may do.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        needs: TaskNeeds,
        log_group: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        self._needs = needs
        self._log_group = log_group
        self.execution_role = self._build_execution_role()
        self.role = self._build_role()
        self.definition = self._build_definition()
        self._add_containers()
        acknowledge(
            self.definition,
            {
                "AwsSolutions-ECS2": "The variables are LiteLLM's settings and pointers; ECS injects every secret from "
                "Secrets Manager."
            },
        )

    def _build_definition(self) -> ecs.FargateTaskDefinition:
        hosting = self._environment.gateway
        return ecs.FargateTaskDefinition(
            self,
            "Definition",
            cpu=hosting.cpu,
            memory_limit_mib=hosting.memory_mib,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64, operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
            # Its policy is whole, and in the role itself: a policy of its own could come after the first task.
            execution_role=self.execution_role.without_policy_updates(),
            task_role=self.role.without_policy_updates(),
        )

    def _add_containers(self) -> None:
        litellm = self.definition.add_container(
            CONTAINER,
            image=ecs.ContainerImage.from_registry(self._needs.image),
            entry_point=["python3", "-c", bootstrap_source()],
            command=[self._needs.bundle.uri, *server.arguments(GATEWAY_PORT)],
            port_mappings=[ecs.PortMapping(container_port=GATEWAY_PORT)],
            environment={
                **server.variables(),
                "AWS_REGION": self._environment.region,
                **self._needs.variables,
            },
            secrets={variable: self._container_secret(variable) for variable in self._needs.secrets},
            logging=ecs.LogDrivers.aws_logs(stream_prefix="litellm", log_group=self._log_group),
            user=USER,
            readonly_root_filesystem=True,
            stop_timeout=cdk.Duration.seconds(server.STOP_TIMEOUT_SECONDS),
            health_check=ecs.HealthCheck(
                command=["CMD", "python3", "-c", _probe()],
                interval=cdk.Duration.seconds(15),
                # The probe shares LiteLLM's event loop, which a busy proxy may hold for half a second.
                timeout=cdk.Duration.seconds(10),
                retries=3,
                start_period=cdk.Duration.seconds(_START_SECONDS),
            ),
        )
        add_scratch(self.definition, litellm, self._needs.image, self._log_group)

    def _container_secret(self, variable: str) -> ecs.Secret:
        secret = secretsmanager.Secret.from_secret_partial_arn(self, variable, secret_arn(self._environment, variable))
        return ecs.Secret.from_secrets_manager(secret)

    def _build_execution_role(self) -> iam.Role:
        arns = [f"{secret_arn(self._environment, variable)}-??????" for variable in self._needs.secrets]
        streams = self._log_group.log_group_arn  # ends with :*
        statements = [
            iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=arns),
            iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[streams]),
        ]
        if self._environment.kms_key_arn:
            key = self._environment.kms_key_arn
            statements.append(iam.PolicyStatement(actions=["kms:Decrypt"], resources=[key]))
        return iam.Role(
            self,
            "ExecutionRole",
            assumed_by=_ecs_tasks(self._environment),
            description="Starts the gateway's tasks: reads their secrets, opens their logs",
            inline_policies={"Start": iam.PolicyDocument(statements=statements)},
        )

    def _build_role(self) -> iam.Role:
        bundle = iam.PolicyStatement(actions=["s3:GetObject"], resources=[self._needs.bundle.arn])
        return iam.Role(
            self,
            "Role",
            assumed_by=_ecs_tasks(self._environment),
            description="The gateway itself: reads its bundle, and reaches what its models need",
            inline_policies={"Proxy": iam.PolicyDocument(statements=[bundle, *self._needs.statements])},
        )


def add_scratch(
    definition: ecs.FargateTaskDefinition, container: ecs.ContainerDefinition, image: str, log_group: logs.ILogGroup
) -> None:
    """Give a container a /tmp to write to, beside a root file system that it cannot.

    Fargate makes a volume that root alone can write to, unless the image has a VOLUME of that path: a container that
    ends at once opens it to all ("Use bind mounts with Amazon ECS").

    Args:
        definition: The task definition.
        container: The container that writes.
        image: The image, which both share.
        log_group: Where a failure is told.
    """
    definition.add_volume(name=_SCRATCH)
    scratch = definition.add_container(
        "Scratch",
        image=ecs.ContainerImage.from_registry(image),
        entry_point=["python3", "-c", _OPEN_SCRATCH],
        essential=False,
        user="0:0",
        readonly_root_filesystem=True,
        logging=ecs.LogDrivers.aws_logs(stream_prefix="scratch", log_group=log_group),
    )
    for mounting in (container, scratch):
        mounting.add_mount_points(ecs.MountPoint(container_path=_TMP, source_volume=_SCRATCH, read_only=False))
    container.add_container_dependencies(
        ecs.ContainerDependency(container=scratch, condition=ecs.ContainerDependencyCondition.SUCCESS)
    )


def _probe() -> str:
    url = f"http://localhost:{GATEWAY_PORT}{server.READINESS}"
    return f"import urllib.request as r; r.urlopen('{url}', timeout=8)"


def _ecs_tasks(environment: Environment) -> iam.PrincipalBase:
    return service_of(environment, "ecs-tasks", "ecs", "*")
