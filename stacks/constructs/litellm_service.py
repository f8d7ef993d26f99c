"""LiteLLM on ECS Fargate behind an internal load balancer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gateway.image import read_image_lock
from stacks.constructs.principals import service_of
from stacks.nag import acknowledge
from stacks.names import GATEWAY_PORT, secret_arn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_logs as logs

    from stacks.assets import S3Object
    from stacks.environments import Environment

# From the client inwards each limit is above the next: an agent's request may last 600 s; the load balancer waits that
# long to deregister a task; ECS gives it 120 s after that (Fargate's most) to end, LiteLLM's own drain a little less.
_LONGEST_REQUEST_SECONDS = 600
_STOP_TIMEOUT_SECONDS = 120
_DRAIN_SECONDS = 110
_READINESS = "/health/readiness"


@dataclass(frozen=True, slots=True)
class GatewayNetwork:
    """Where the gateway stands and who may reach it.

    Attributes:
        vpc: The VPC.
        subnets: Private subnets for the load balancer and the tasks.
        clients: Security group of the agents.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    clients: ec2.ISecurityGroup


class LiteLLMService(Construct):
    """The LiteLLM proxy as a service.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        environment: The environment, for size, names and retention.
        network: Where it stands.
        config: The compiled `config.yaml` in S3.
        secrets: Variables that tasks get from Secrets Manager, the master key among them.
        log_group: Where tasks log.

    Attributes:
        host: Name of the load balancer, inside the VPC.
        service: The ECS service.
        execution_role: What ECS starts the tasks with.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: GatewayNetwork,
        config: S3Object,
        secrets: Sequence[str],
        log_group: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        self._network = network
        self._log_group = log_group
        self.execution_role = self._build_execution_role(secrets)
        task = self._build_task_definition(config, secrets)
        self.service = self._build_service(task)
        self.host = self._build_load_balancer()

    def _build_task_definition(self, config: S3Object, secrets: Sequence[str]) -> ecs.FargateTaskDefinition:
        size = self._environment.gateway
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=size.cpu,
            memory_limit_mib=size.memory_mib,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64, operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
            # Its policy is whole, and in the role itself: a policy of its own could come after the first task.
            execution_role=self.execution_role.without_policy_updates(),
            task_role=self._build_task_role(config),
        )
        task.add_container(
            "LiteLLM",
            image=ecs.ContainerImage.from_registry(read_image_lock().managed.name),
            command=["--port", str(GATEWAY_PORT), "--num_workers", "1"],
            port_mappings=[ecs.PortMapping(container_port=GATEWAY_PORT)],
            environment={
                "LITELLM_CONFIG_BUCKET_NAME": config.bucket,
                "LITELLM_CONFIG_BUCKET_OBJECT_KEY": config.key,
                # Without these LiteLLM reads `.env` files, fetches a price list at import, and logs whole requests.
                "LITELLM_MODE": "PRODUCTION",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "LITELLM_LOG": "INFO",
                "GRACEFUL_SHUTDOWN_TIMEOUT": str(_DRAIN_SECONDS),
                "AWS_REGION": self._environment.region,
            },
            secrets={variable: self._container_secret(variable) for variable in secrets},
            logging=ecs.LogDrivers.aws_logs(stream_prefix="litellm", log_group=self._log_group),
            stop_timeout=cdk.Duration.seconds(_STOP_TIMEOUT_SECONDS),
            health_check=ecs.HealthCheck(
                command=["CMD", "python3", "-c", _probe()],
                interval=cdk.Duration.seconds(15),
                # The probe shares LiteLLM's event loop, which a busy proxy may hold for half a second.
                timeout=cdk.Duration.seconds(10),
                retries=3,
                start_period=cdk.Duration.seconds(60),
            ),
        )
        acknowledge(
            task,
            {
                "AwsSolutions-ECS2": "The variables are LiteLLM's settings and pointers; ECS injects every secret from "
                "Secrets Manager."
            },
        )
        return task

    def _container_secret(self, variable: str) -> ecs.Secret:
        secret = secretsmanager.Secret.from_secret_partial_arn(self, variable, secret_arn(self._environment, variable))
        return ecs.Secret.from_secrets_manager(secret)

    def _build_execution_role(self, secrets: Sequence[str]) -> iam.Role:
        arns = [f"{secret_arn(self._environment, variable)}-??????" for variable in secrets]
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

    def _build_task_role(self, config: S3Object) -> iam.Role:
        return iam.Role(
            self,
            "TaskRole",
            assumed_by=_ecs_tasks(self._environment),
            description="The gateway itself: reads its configuration, and nothing else",
            inline_policies={
                "Configuration": iam.PolicyDocument(
                    statements=[iam.PolicyStatement(actions=["s3:GetObject"], resources=[config.arn])]
                )
            },
        )

    def _build_service(self, task: ecs.FargateTaskDefinition) -> ecs.FargateService:
        cluster = ecs.Cluster(
            self, "Cluster", vpc=self._network.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
        )
        security_group = ec2.SecurityGroup(
            self, "TaskSecurityGroup", vpc=self._network.vpc, description="Tasks of the gateway"
        )
        return ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=task,
            desired_count=self._environment.gateway.tasks,
            assign_public_ip=False,
            vpc_subnets=self._network.subnets,
            security_groups=[security_group],
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
            health_check_grace_period=cdk.Duration.seconds(60),
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )

    def _build_load_balancer(self) -> str:
        security_group = ec2.SecurityGroup(
            self,
            "BalancerSecurityGroup",
            vpc=self._network.vpc,
            description="Load balancer of the gateway",
            allow_all_outbound=False,
        )
        balancer = elb.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=self._network.vpc,
            vpc_subnets=self._network.subnets,
            internet_facing=False,
            security_group=security_group,
            drop_invalid_header_fields=True,
            deletion_protection=self._environment.retains,
            # Above the longest pause of a stream.
            idle_timeout=cdk.Duration.seconds(_LONGEST_REQUEST_SECONDS),
        )
        listener = balancer.add_listener(
            "Listener", port=GATEWAY_PORT, protocol=elb.ApplicationProtocol.HTTP, open=False
        )
        listener.add_targets(
            "Tasks",
            port=GATEWAY_PORT,
            protocol=elb.ApplicationProtocol.HTTP,
            targets=[self.service],
            deregistration_delay=cdk.Duration.seconds(_LONGEST_REQUEST_SECONDS),
            health_check=elb.HealthCheck(
                path=_READINESS,
                healthy_http_codes="200",
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(6),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )
        balancer.connections.allow_from(self._network.clients, ec2.Port.tcp(GATEWAY_PORT), "Agents of the environment")
        acknowledge(
            balancer,
            {
                "AwsSolutions-ELB2": "Internal to the VPC; LiteLLM logs each request with its key's alias, and access "
                "logs would need a bucket of their own."
            },
        )
        return balancer.load_balancer_dns_name


def _probe() -> str:
    url = f"http://localhost:{GATEWAY_PORT}{_READINESS}"
    return f"import urllib.request as r; r.urlopen('{url}', timeout=8)"


def _ecs_tasks(environment: Environment) -> iam.PrincipalBase:
    return service_of(environment, "ecs-tasks", "ecs", "*")
