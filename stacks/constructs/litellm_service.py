"""LiteLLM on ECS Fargate: the tasks, how they are replaced and multiplied, and the doors to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_servicediscovery as servicediscovery
from constructs import Construct

from stacks.constructs.gateway_doors import InternalBalancer, Place, PublicBalancer
from stacks.nag import acknowledge
from stacks.names import GATEWAY_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_elasticloadbalancingv2 as elb

    from stacks.constructs.litellm_task import LiteLLMTask
    from stacks.environments import Environment

# LiteLLM's own advice is 60 % of CPU, and never memory, which it keeps once it has it ("Production best practices").
_CPU_PERCENT = 60
# Half of what one vCPU answers at once in a minute, for answers that are short (facts of `make bench-gateway`).
_REQUESTS_IN_A_MINUTE_OF_A_VCPU = 3000
_VCPU = 1024
_DNS_TTL_SECONDS = 10
_NAME = "gateway"
_SPOT = "FARGATE_SPOT"


@dataclass(frozen=True, slots=True)
class GatewayNetwork:
    """Where the gateway stands and who may reach it.

    Attributes:
        vpc: The VPC.
        private: Private subnets, for the load balancer of the agents.
        public: Public subnets, for the load balancer of callers outside; none in a VPC that is not ours.
        tasks: Subnets of the tasks.
        public_addresses: Whether tasks have addresses of their own on the internet, in place of a NAT gateway.
        clients: Security group of the agents.
    """

    vpc: ec2.IVpc
    private: ec2.SubnetSelection
    public: ec2.SubnetSelection | None
    tasks: ec2.SubnetSelection
    public_addresses: bool
    clients: ec2.ISecurityGroup


def build_cluster(scope: Construct, environment: Environment, vpc: ec2.IVpc) -> ecs.Cluster:
    """Build the cluster of the gateway's service.

    Args:
        scope: The stack.
        environment: The environment; it decides on the capacity.
        vpc: The VPC.

    Returns:
        The cluster.
    """
    cluster = ecs.Cluster(
        scope,
        "Cluster",
        vpc=vpc,
        container_insights_v2=ecs.ContainerInsights.DISABLED,  # each of its metrics is paid for
    )
    if environment.gateway.spot:
        # On the cluster itself: CDK would add a resource that only tells it the same.
        resource = cluster.node.default_child
        assert isinstance(resource, ecs.CfnCluster)  # noqa: S101 - what a cluster is made of
        resource.capacity_providers = [_SPOT]
    acknowledge(
        cluster,
        {"AwsSolutions-ECS4": "The alarms stand on metrics of service, balancer and log, which cost less."},
    )
    return cluster


class LiteLLMService(Construct):
    """The LiteLLM proxy as a service.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        environment: The environment, for tasks, doors and names.
        network: Where it stands.
        cluster: What it runs in.
        task: What each of its tasks is.
        data_clients: Security group of whoever reaches the gateway's database or Redis, where it has one.

    Attributes:
        host: Name that agents find it by, inside the VPC.
        service: The ECS service.
        security_group: Security group of the tasks.
        internal: The load balancer of the agents, where there is one.
        public: The load balancer of callers outside, where there is one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: GatewayNetwork,
        cluster: ecs.ICluster,
        task: LiteLLMTask,
        data_clients: ec2.ISecurityGroup | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._environment = environment
        self._network = network
        self.internal: InternalBalancer | None = None
        self.public: PublicBalancer | None = None
        self.security_group = ec2.SecurityGroup(
            self, "TaskSecurityGroup", vpc=network.vpc, description="Tasks of the gateway"
        )
        self.service = self._build_service(
            cluster, task, [self.security_group, *([data_clients] if data_clients else [])]
        )
        self.host = self._build_entry()
        if environment.gateway.reachability == "public" and network.public:
            place = Place(network.vpc, network.public)
            self.public = PublicBalancer(self, "Public", environment=environment, place=place)
            self.public.group.add_target(self.service)
        groups = [door.group for door in (self.internal, self.public) if door]
        if environment.gateway.scales:
            self._scale(groups)

    def _build_service(
        self, cluster: ecs.ICluster, task: LiteLLMTask, security_groups: Sequence[ec2.ISecurityGroup]
    ) -> ecs.FargateService:
        hosting = self._environment.gateway
        return ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            capacity_provider_strategies=[ecs.CapacityProviderStrategy(capacity_provider=_SPOT, weight=1)]
            if hosting.spot
            else None,
            task_definition=task.definition,
            desired_count=hosting.tasks,
            assign_public_ip=self._network.public_addresses,
            vpc_subnets=self._network.tasks,
            security_groups=list(security_groups),
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
            health_check_grace_period=self._grace_period(),
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )

    @property
    def _has_balancer(self) -> bool:
        hosting = self._environment.gateway
        return hosting.entry == "load_balancer" or hosting.reachability == "public"

    def _grace_period(self) -> cdk.Duration | None:
        return cdk.Duration.seconds(120) if self._has_balancer else None

    def _build_entry(self) -> str:
        if self._environment.gateway.entry == "service_discovery":
            return self._register_name()
        self.internal = InternalBalancer(
            self,
            "Internal",
            environment=self._environment,
            place=Place(self._network.vpc, self._network.private),
            clients=self._network.clients,
        )
        self.internal.group.add_target(self.service)
        return self.internal.host

    def _register_name(self) -> str:
        """Gives the tasks a name in the VPC's own DNS; agents then reach them with nothing in between."""
        namespace = servicediscovery.PrivateDnsNamespace(
            self,
            "Namespace",
            name=f"{self._environment.name}.strandline.internal",
            vpc=self._network.vpc,
            description=f"Strandline's gateway in {self._environment.name}",
        )
        self.service.enable_cloud_map(
            cloud_map_namespace=namespace,
            name=_NAME,
            dns_record_type=servicediscovery.DnsRecordType.A,
            dns_ttl=cdk.Duration.seconds(_DNS_TTL_SECONDS),
        )
        self.service.connections.allow_from(
            self._network.clients, ec2.Port.tcp(GATEWAY_PORT), "Agents of the environment"
        )
        return f"{_NAME}.{namespace.namespace_name}"

    def _scale(self, groups: Sequence[elb.ApplicationTargetGroup]) -> None:
        hosting = self._environment.gateway
        scaling = self.service.auto_scale_task_count(min_capacity=hosting.tasks, max_capacity=hosting.max_tasks)
        out, back = cdk.Duration.seconds(60), cdk.Duration.seconds(300)
        scaling.scale_on_cpu_utilization(
            "Cpu", target_utilization_percent=_CPU_PERCENT, scale_out_cooldown=out, scale_in_cooldown=back
        )
        for group in groups:
            scaling.scale_on_request_count(
                f"Requests{group.node.scope.node.id if group.node.scope else ''}",
                requests_per_target=_REQUESTS_IN_A_MINUTE_OF_A_VCPU * hosting.cpu // _VCPU,
                target_group=group,
                scale_out_cooldown=out,
                scale_in_cooldown=back,
            )
