"""The environment's network: long-lived, apart from everything that uses it.

AgentCore's network interfaces linger for about eight hours after a runtime is gone, so a network that went with its
agents could not be deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from stacks.base import EnvironmentStack
from stacks.nag import acknowledge_log_streams

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.environments import Environment, Network


class NetworkStack(EnvironmentStack):
    """A VPC of our own or a reference to an existing one, and the security group of the agents in it.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.

    Attributes:
        vpc: The network.
        subnets: The subnets for agents and gateway.
        agent_security_group: What agents with network mode PRIVATE belong to.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id, environment=environment, description="network", stateful=True)
        network = environment.network
        self.vpc: ec2.IVpc = self._build_vpc(network) if network.is_own else self._existing_vpc(network)
        self.subnets = self.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        self.agent_security_group = ec2.SecurityGroup(
            self, "AgentSecurityGroup", vpc=self.vpc, description="Agents with network mode PRIVATE"
        )
        self.bound_roles()

    def _build_vpc(self, network: Network) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(network.cidr),
            availability_zones=list(self.target.availability_zones),
            nat_gateways=network.nat_gateways,
            restrict_default_security_group=False,  # its custom resource would be the only Lambda of this stack
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24),
                ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=22),
            ],
        )
        # Agents fetch their bundle from S3, and AgentCore their code: free, and not through the NAT gateway.
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self._add_secrets_manager_endpoint(vpc, network.cidr)
        self._add_flow_log(vpc)
        return vpc

    def _add_secrets_manager_endpoint(self, vpc: ec2.Vpc, cidr: str) -> None:
        security_group = ec2.SecurityGroup(
            self,
            "EndpointSecurityGroup",
            vpc=vpc,
            description="Secrets Manager from inside the VPC",
            allow_all_outbound=False,
        )
        security_group.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(443), "HTTPS from the VPC")
        vpc.add_interface_endpoint(
            "SecretsManager",
            service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            security_groups=[security_group],
            open=False,
        )

    def _add_flow_log(self, vpc: ec2.Vpc) -> None:
        group = logs.LogGroup.from_log_group_name(self, "FlowLogGroup", self.add_log_group("FlowLogs").ref)
        role = iam.Role(self, "FlowLogRole", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))
        vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role))
        acknowledge_log_streams(role, self, "FlowLogs")

    def _existing_vpc(self, network: Network) -> ec2.IVpc:
        return ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=network.vpc,
            availability_zones=list(network.availability_zones),
            private_subnet_ids=list(network.subnets),
        )
