"""What each CloudFormation resource costs in an idle month, by the dated prices of `prices.yaml`.

Every type of resource is either priced here or on the list of those that are free: a type that is neither is an error,
so that nothing is forgotten when a stack grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PRICES = Path(__file__).with_name("prices.yaml")

_ZONES = 2
"""Zones of a load balancer, each of which checks for itself: the default of `environments.yaml`."""

Resource = dict[str, Any]
Charge = tuple[str, float]
"""A part of the bill, and US dollars a month."""


class UnknownCost(Exception):
    """Raised when a template holds what has no price here."""


@dataclass(frozen=True)
class Prices:
    """The dated price table.

    Attributes:
        document: The file.
        used: Names of the prices that were asked for.
    """

    document: dict[str, Any]
    used: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, path: Path = PRICES) -> Prices:
        """Reads the table."""
        return cls(yaml.safe_load(path.read_text()))

    def of(self, name: str) -> float:
        """The price of a unit."""
        if name not in self.document["prices"]:
            raise UnknownCost(f"{PRICES.name} has no price {name}")
        self.used.add(name)
        return float(self.document["prices"][name]["usd"])

    def month(self, name: str) -> float:
        """The price of a month of something that is billed by the hour."""
        return self.of(name) * float(self.document["hours_in_a_month"])

    def assumed(self, name: str) -> float:
        """A figure that no template tells."""
        return float(self.document["assumptions"][name]["value"])


@dataclass(frozen=True)
class Bill:
    """The resources of one environment, with what they cost.

    Attributes:
        resources: All of them, by stack and logical id.
        prices: The price table.
    """

    resources: Mapping[tuple[str, str], Resource]
    prices: Prices

    def charges(self) -> Iterator[Charge]:
        """Every charge of every resource.

        Raises:
            UnknownCost: A resource is of a type that is neither priced nor free, or of a size that has no price.
        """
        for (stack, name), resource in self.resources.items():
            kind = resource["Type"]
            if kind in _PRICED:
                yield from _PRICED[kind](self, stack, resource.get("Properties", {}))
            elif kind not in FREE and not kind.startswith("Custom::"):
                raise UnknownCost(f"{stack}/{name}: {kind} is neither priced nor free in {Path(__file__).name}")

    def find(self, stack: str, reference: Any) -> Resource:
        """The resource of the same stack that a property refers to."""
        return self.resources[stack, reference["Ref"]]


def _balancer(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    yield "load balancer", bill.prices.month("load_balancer_hour")
    if properties.get("Scheme") == "internet-facing":
        yield "public addresses", len(properties["Subnets"]) * bill.prices.month("public_ipv4_hour")


def _nat_gateway(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    yield "NAT gateway", bill.prices.month("nat_gateway_hour")


def _address(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    yield "public addresses", bill.prices.month("public_ipv4_hour")


def _endpoint(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    if properties.get("VpcEndpointType") == "Interface":
        yield "interface endpoints", len(properties["SubnetIds"]) * bill.prices.month("interface_endpoint_zone_hour")


def _service(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    tasks = int(properties["DesiredCount"])
    task = bill.find(stack, properties["TaskDefinition"])["Properties"]
    architecture = task.get("RuntimePlatform", {}).get("CpuArchitecture")
    if architecture != "ARM64" or properties.get("LaunchType", "FARGATE") != "FARGATE":
        raise UnknownCost(f"{stack}: a service on {architecture} has no price")
    providers = [one["CapacityProvider"] for one in properties.get("CapacityProviderStrategy", ())]
    if providers not in ([], ["FARGATE"], ["FARGATE_SPOT"]):
        raise UnknownCost(f"{stack}: a service on {' and '.join(providers)} has no price")
    share = bill.prices.assumed("fargate_spot_share") if "FARGATE_SPOT" in providers else 1.0
    cpu, memory = int(task["Cpu"]) / 1024, int(task["Memory"]) / 1024
    one = cpu * bill.prices.month("fargate_arm_vcpu_hour") + memory * bill.prices.month("fargate_arm_gb_hour")
    yield "tasks", tasks * one * share
    network = properties["NetworkConfiguration"]["AwsvpcConfiguration"]
    if network.get("AssignPublicIp") == "ENABLED":
        yield "public addresses", tasks * bill.prices.month("public_ipv4_hour")
    yield "logs", tasks * _log_gigabytes(bill, stack, task) * bill.prices.of("log_ingestion_gb")
    if properties.get("ServiceRegistries"):
        yield "DNS", tasks * bill.prices.of("cloud_map_instance_month")


def _log_gigabytes(bill: Bill, stack: str, task: Resource) -> float:
    """What a task logs in a month in which it is only asked whether it is well."""
    groups = (one for (there, _), one in bill.resources.items() if there == stack)
    checks_of_containers = (container.get("HealthCheck") for container in task["ContainerDefinitions"])
    intervals = [check["Interval"] for check in checks_of_containers if check]
    for group in groups:
        if group["Type"] == "AWS::ElasticLoadBalancingV2::TargetGroup":
            intervals += [group["Properties"]["HealthCheckIntervalSeconds"]] * _ZONES
    checks = sum(3600 * bill.prices.document["hours_in_a_month"] / interval for interval in intervals)
    return float(checks * bill.prices.assumed("log_bytes_of_a_health_check") / 1e9)


def _cluster(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    for setting in properties.get("ClusterSettings", ()):
        if setting["Name"] == "containerInsights" and setting["Value"] != "disabled":
            metrics = bill.prices.assumed("container_insights_metrics")
            yield "monitoring", metrics * bill.prices.of("custom_metric_month")


def _database(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    size = properties["DBInstanceClass"]
    if size == "db.serverless":
        cluster = bill.find(stack, properties["DBClusterIdentifier"])["Properties"]
        least = float(cluster["ServerlessV2ScalingConfiguration"]["MinCapacity"])
        yield "database", least * bill.prices.month("aurora_acu_hour")
        return
    # The standby in the second zone is a second instance with a second disk.
    copies = 2 if properties.get("MultiAZ") else 1
    yield "database", copies * bill.prices.month(f"rds_{properties['Engine']}_{size}_hour")
    yield "database", copies * int(properties["AllocatedStorage"]) * bill.prices.of("rds_gp3_gb_month")
    yield from _secret_of_database(bill, properties)


def _database_cluster(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    yield "database", bill.prices.assumed("aurora_storage_gb") * bill.prices.of("aurora_gb_month")
    yield from _secret_of_database(bill, properties)


def _secret_of_database(bill: Bill, properties: Resource) -> Iterator[Charge]:
    # A secret that RDS makes itself, and that no template shows.
    if properties.get("ManageMasterUserPassword"):
        yield "secrets", bill.prices.of("secret_month")


def _cache(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    nodes = int(properties["NumCacheClusters"])
    yield "Redis", nodes * bill.prices.month(f"elasticache_{properties['Engine']}_{properties['CacheNodeType']}_hour")


def _web_acl(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    rules = len(properties.get("Rules", ()))
    yield "firewall", bill.prices.of("web_acl_month") + rules * bill.prices.of("web_acl_rule_month")


def _scaling_policy(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    # Target tracking makes two alarms of its own, one for each direction.
    if properties.get("PolicyType") == "TargetTrackingScaling":
        yield "monitoring", 2 * bill.prices.of("alarm_month")


def _alarm(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    # One that does arithmetic over metrics is billed for each of them.
    metrics = sum("MetricStat" in query for query in properties.get("Metrics", ())) or 1
    yield "monitoring", metrics * bill.prices.of("alarm_month")


def _metric_filter(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    # A metric is billed in the hours in which it has a value; without a default it has none while nothing matches.
    for metric in properties["MetricTransformations"]:
        if "DefaultValue" in metric:
            yield "monitoring", bill.prices.of("custom_metric_month")


def _flow_log(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
    yield "logs", bill.prices.assumed("flow_log_gb") * bill.prices.of("log_ingestion_gb")


def _flat(part: str, price: str) -> Callable[[Bill, str, Resource], Iterator[Charge]]:
    def charge(bill: Bill, stack: str, properties: Resource) -> Iterator[Charge]:
        yield part, bill.prices.of(price)

    return charge


_PRICED: dict[str, Callable[[Bill, str, Resource], Iterator[Charge]]] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _flat("monitoring", "composite_alarm_month"),
    "AWS::CloudWatch::Dashboard": _flat("monitoring", "dashboard_month"),
    "AWS::EC2::EIP": _address,
    "AWS::EC2::FlowLog": _flow_log,
    "AWS::EC2::NatGateway": _nat_gateway,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ECS::Cluster": _cluster,
    "AWS::ECS::Service": _service,
    "AWS::ElastiCache::ReplicationGroup": _cache,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _balancer,
    "AWS::KMS::Key": _flat("keys", "kms_key_month"),
    "AWS::Logs::MetricFilter": _metric_filter,
    "AWS::RDS::DBCluster": _database_cluster,
    "AWS::RDS::DBInstance": _database,
    "AWS::Route53::HostedZone": _flat("DNS", "hosted_zone_month"),
    "AWS::SecretsManager::Secret": _flat("secrets", "secret_month"),
    # A private namespace is a hosted zone of Route 53.
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _flat("DNS", "hosted_zone_month"),
    "AWS::ApplicationAutoScaling::ScalingPolicy": _scaling_policy,
    "AWS::WAFv2::WebACL": _web_acl,
}

FREE = frozenset(
    {
        # Billed for use alone: nothing while nobody calls.
        "AWS::BedrockAgentCore::Runtime",
        "AWS::BedrockAgentCore::RuntimeEndpoint",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Version",
        "AWS::Logs::LogGroup",
        # The release bucket: an artefact of 60 MB is a tenth of a cent.
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Topic",
        "AWS::StepFunctions::StateMachine",
        # Part of what is billed elsewhere, or free.
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::CDK::Metadata",
        "AWS::CloudFormation::CustomResource",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::Route",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ECS::ClusterCapacityProviderAssociations",
        "AWS::ECS::TaskDefinition",
        "AWS::ElastiCache::ParameterGroup",
        "AWS::ElastiCache::SubnetGroup",
        "AWS::ElastiCache::User",
        "AWS::ElastiCache::UserGroup",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "AWS::Events::Rule",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Permission",
        "AWS::RDS::DBClusterParameterGroup",
        "AWS::RDS::DBParameterGroup",
        "AWS::RDS::DBSubnetGroup",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SSM::Parameter",
        "AWS::SecretsManager::ResourcePolicy",
        "AWS::SecretsManager::RotationSchedule",
        "AWS::ServiceDiscovery::Service",
        "AWS::WAFv2::WebACLAssociation",
    }
)
"""Types of resources that cost nothing in an idle month, whatever their properties say."""

KNOWN_TYPES = FREE.union(_PRICED)
"""Types of resources that our stacks may hold."""
