"""The environment's network: long-lived, apart from everything that uses it.

AgentCore's network interfaces linger for about eight hours after a runtime is gone, so a network that went with its
agents could not be deleted.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from stacks.base import EnvironmentStack
from stacks.constructs.principals import service_of
from stacks.nag import acknowledge_log_streams

if TYPE_CHECKING:
    from stacks.environments import Environment, Network
    from stacks.network_needs import NetworkNeeds

# A VPC of this size has room for private subnets of a thousand addresses in three zones.
_ROOMY = 20


class NetworkStack(EnvironmentStack):
    """A VPC of our own or a reference to an existing one, and the security group of the agents in it.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.
        needs: What agents in the private subnets reach outside of them.

    Attributes:
        vpc: The network.
        subnets: The private subnets, for agents and load balancer.
        public_subnets: The subnets with a route from the internet; none in a VPC that is not ours.
        tasks_are_public: Whether tasks reach the internet by addresses of their own, for want of a NAT gateway.
        agent_security_group: What agents with network mode PRIVATE belong to.
        agent_subnet_ids: Ids of the subnets, for the stacks of the agents.
        agent_security_group_id: Id of the security group, for the same.
    """

    def __init__(self, scope: cdk.Stage, construct_id: str, *, environment: Environment, needs: NetworkNeeds) -> None:
        super().__init__(scope, construct_id, environment=environment, description="network", stateful=True)
        network = environment.network
        self._needs = needs
        self._nat_gateways = int(needs.internet) if network.nat_gateways is None else network.nat_gateways
        self.vpc: ec2.IVpc = self._build_vpc(network) if network.is_own else self._existing_vpc(network)
        self.tasks_are_public = network.is_own and not self._nat_gateways
        self.subnets = self.vpc.select_subnets(
            subnet_type=ec2.SubnetType.PRIVATE_ISOLATED if self.tasks_are_public else ec2.SubnetType.PRIVATE_WITH_EGRESS
        )
        self.public_subnets = self.vpc.select_subnets(subnet_type=ec2.SubnetType.PUBLIC) if network.is_own else None
        self.agent_security_group = ec2.SecurityGroup(
            self, "AgentSecurityGroup", vpc=self.vpc, description="Agents with network mode PRIVATE"
        )
        self.export(self.vpc.vpc_id)
        self.agent_subnet_ids = tuple(self.export(subnet) for subnet in self.subnets.subnet_ids)
        for subnet in self.public_subnets.subnet_ids if self.public_subnets else ():
            self.export(subnet)
        self.agent_security_group_id = self.export(self.agent_security_group.security_group_id)
        self.bound_roles()

    def _build_vpc(self, network: Network) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(network.cidr),
            availability_zones=list(self.target.availability_zones),
            nat_gateways=self._nat_gateways,
            restrict_default_security_group=False,  # its custom resource would be the only Lambda of this stack
            subnet_configuration=_subnets(network.cidr, has_nat=bool(self._nat_gateways)),
        )
        # Agents fetch their bundle from S3, and AgentCore their code: free, and not through the NAT gateway.
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        if not self._nat_gateways and self._needs.services:
            self._add_interface_endpoints(vpc, network.cidr)
        self._add_flow_log(vpc)
        return vpc

    def _add_interface_endpoints(self, vpc: ec2.Vpc, cidr: str) -> None:
        """Adds the only way to AWS's services that there is without a NAT gateway.

        An endpoint is paid for by zone. Where one zone's loss takes the only task along, one zone has them.
        """
        security_group = ec2.SecurityGroup(
            self,
            "EndpointSecurityGroup",
            vpc=vpc,
            description="Services of AWS from inside the VPC",
            allow_all_outbound=False,
        )
        security_group.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(443), "HTTPS from the VPC")
        subnets = vpc.isolated_subnets if self.target.gateway.tasks > 1 else vpc.isolated_subnets[:1]
        for service in self._needs.services:
            vpc.add_interface_endpoint(
                _construct_id(service),
                service=ec2.InterfaceVpcEndpointAwsService(service),
                subnets=ec2.SubnetSelection(subnets=subnets),
                security_groups=[security_group],
                open=False,
            )

    def _add_flow_log(self, vpc: ec2.Vpc) -> None:
        group = logs.LogGroup.from_log_group_name(self, "FlowLogGroup", self.add_log_group("FlowLogs").ref)
        role = iam.Role(
            self, "FlowLogRole", assumed_by=service_of(self.target, "vpc-flow-logs", "ec2", "vpc-flow-log/*")
        )
        vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role))
        acknowledge_log_streams(role, self, "FlowLogs")

    def _existing_vpc(self, network: Network) -> ec2.IVpc:
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=network.vpc,
            availability_zones=list(network.availability_zones),
            private_subnet_ids=list(network.subnets),
        )
        for subnet in vpc.private_subnets:
            cdk.Annotations.of(subnet).acknowledge_warning(
                "@aws-cdk/aws-ec2:noSubnetRouteTableId", "Nothing of ours adds a route to a VPC that is not ours."
            )
        return vpc


def _construct_id(service: str) -> str:
    return "".join(word.capitalize() for word in service.split("-"))


def _subnets(cidr: str, *, has_nat: bool) -> list[ec2.SubnetConfiguration]:
    """Shares out our own VPC: up to three zones fit in every size that `environments.yaml` allows."""
    size = ipaddress.IPv4Network(cidr).prefixlen
    public, private = (24, 22) if size <= _ROOMY else (min(size + 5, 28), size + 3)
    return [
        ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=public),
        ec2.SubnetConfiguration(
            name="Private",
            subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS if has_nat else ec2.SubnetType.PRIVATE_ISOLATED,
            cidr_mask=private,
        ),
    ]
