"""The migration of the gateway's database: a task that has to succeed before the service is given a new version.

It runs when its definition changes, so with another image or another database, and not with another route to a model.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

import gateway
from stacks.constructs.deployment_function import DeploymentFunction
from stacks.constructs.litellm_task import USER, add_scratch
from stacks.constructs.principals import service_of
from stacks.nag import acknowledge, acknowledge_log_streams
from stacks.names import partition

if TYPE_CHECKING:
    from aws_cdk import aws_logs as logs

    from stacks.base import EnvironmentStack
    from stacks.constructs.litellm_service import GatewayNetwork
    from stacks.data_stack import Administrator

# The longest that Lambda gives: a migration of a large table of spend goes on without it (`migration.py`).
_TIMEOUT_SECONDS = 900
_CPU, _MEMORY_MIB = 512, 2048


class Migration(Construct):
    """The task, and the custom resource that runs it and waits.

    Args:
        scope: The gateway's stack.
        construct_id: Id in the stack.
        image: The container image of the service.
        administrator: Who migrates.
        clients: Security group of whoever reaches the database.
        cluster: Where it runs.
        network: The subnets of the gateway's tasks.
        log_group: Where it logs.
    """

    def __init__(
        self,
        scope: EnvironmentStack,
        construct_id: str,
        *,
        image: str,
        administrator: Administrator,
        clients: ec2.ISecurityGroup,
        cluster: ecs.ICluster,
        network: GatewayNetwork,
        log_group: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        self._target = scope.target
        self._log_group = log_group
        self._administrator = administrator
        self._execution_role = self._build_execution_role()
        acknowledge_log_streams(self._execution_role, scope, "Logs")
        self._role = iam.Role(
            self,
            "Role",
            assumed_by=service_of(self._target, "ecs-tasks", "ecs", "*"),
            description="The migration itself, which asks nothing of AWS",
        )
        self._definition = self._build_definition(image)
        outbound = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=network.vpc, description="Migration of the database of the gateway"
        )
        function = DeploymentFunction(
            scope,
            f"{construct_id}Function",
            module="migration",
            description=f"Migrates the database of the gateway in {self._target.name} before its service",
            timeout_seconds=_TIMEOUT_SECONDS,
            variables={"CLUSTER": cluster.cluster_name},
            statements=self._statements(cluster),
        )
        owner = f"{partition(self._target)}:ecs:{self._target.region}:{self._target.account}"
        acknowledge(
            function,
            {
                f"AwsSolutions-IAM5[Resource::arn:{owner}:task/*]": "Tasks have ids that ECS makes up; the condition "
                "leaves those of the one cluster.",
                f"AwsSolutions-IAM5[Resource::arn:{owner}:task-definition/{self._definition.family}:*]": "Each "
                "revision of the one task definition.",
            },
        )
        cdk.CustomResource(
            self,
            "Applied",
            resource_type="Custom::StrandlineMigration",
            service_token=function.arn,
            service_timeout=cdk.Duration.seconds(_TIMEOUT_SECONDS + 60),
            properties={
                "TaskDefinition": self._definition.task_definition_arn,
                "Subnets": network.vpc.select_subnets(subnets=network.tasks.subnets).subnet_ids,
                "SecurityGroups": [outbound.security_group_id, clients.security_group_id],
                "AssignPublicIp": "ENABLED" if network.public_addresses else "DISABLED",
            },
        )

    def _build_definition(self, image: str) -> ecs.FargateTaskDefinition:
        definition = ecs.FargateTaskDefinition(
            self,
            "Definition",
            cpu=_CPU,
            memory_limit_mib=_MEMORY_MIB,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64, operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
            execution_role=self._execution_role.without_policy_updates(),
            task_role=self._role.without_policy_updates(),
        )
        secret = secretsmanager.Secret.from_secret_complete_arn(self, "Administrator", self._administrator.secret_arn)
        container = definition.add_container(
            "Migration",
            image=ecs.ContainerImage.from_registry(image),
            entry_point=["python3", "-c", program_of_migration()],
            environment={
                **self._administrator.variables,
                "LITELLM_MODE": "PRODUCTION",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            },
            secrets={"DATABASE_PASSWORD": ecs.Secret.from_secrets_manager(secret, "password")},
            logging=ecs.LogDrivers.aws_logs(stream_prefix="migration", log_group=self._log_group),
            user=USER,
            readonly_root_filesystem=True,
        )
        add_scratch(definition, container, image, self._log_group)
        acknowledge(
            definition,
            {"AwsSolutions-ECS2": "The variables say where the database is; ECS injects the password that RDS keeps."},
        )
        return definition

    def _build_execution_role(self) -> iam.Role:
        statements = [
            iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self._administrator.secret_arn]),
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[self._log_group.log_group_arn]
            ),
        ]
        if self._target.kms_key_arn:
            statements.append(iam.PolicyStatement(actions=["kms:Decrypt"], resources=[self._target.kms_key_arn]))
        return iam.Role(
            self,
            "ExecutionRole",
            assumed_by=service_of(self._target, "ecs-tasks", "ecs", "*"),
            description="Starts the migration: reads the administrator's password, opens its log",
            inline_policies={"Start": iam.PolicyDocument(statements=statements)},
        )

    def _statements(self, cluster: ecs.ICluster) -> list[iam.PolicyStatement]:
        """Run this one task in this one cluster, and look at it."""
        owner = f"{partition(self._target)}:ecs:{self._target.region}:{self._target.account}"
        in_cluster = {"ArnEquals": {"ecs:cluster": cluster.cluster_arn}}
        return [
            iam.PolicyStatement(
                actions=["ecs:RunTask"],
                resources=[f"arn:{owner}:task-definition/{self._definition.family}:*"],
                conditions=in_cluster,
            ),
            iam.PolicyStatement(
                actions=["ecs:DescribeTasks"], resources=[f"arn:{owner}:task/*"], conditions=in_cluster
            ),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self._execution_role.role_arn, self._role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
        ]


@cache
def program_of_migration() -> str:
    """The program of the migration, as `python3 -c` takes it."""
    return Path(gateway.__file__).with_name("proxy").joinpath("migrate.py").read_text(encoding="utf-8")
