"""The ways to the gateway's tasks, and what passes through each.

Inference paths are open to agents. Everything else that LiteLLM serves is behind a listener of its own, whose port only
the operators' network and the deployment itself are let to; elsewhere it is a fixed 404.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from gateway import server
from gateway.proxy.paths import INFERENCE_PATHS
from stacks.nag import acknowledge
from stacks.names import GATEWAY_ADMIN_PORT, GATEWAY_PORT, GATEWAY_PUBLIC_ADMIN_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.environments import Environment

_PATTERNS_IN_A_RULE = 5  # "Quotas for your Application Load Balancers": condition values of a rule
_HTTPS = 443
_REQUESTS_IN_FIVE_MINUTES = 2000
_NOT_FOUND = {
    "error": {
        "message": "The gateway serves no such path here.",
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a balancer stands.

    Attributes:
        vpc: The VPC.
        subnets: Its subnets, in two zones or more.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection


class GatewayBalancer(Construct):
    """A load balancer in front of the tasks: its listeners, its paths, and who reaches them.

    Args:
        scope: The construct that it is part of.
        construct_id: Id in the scope.
        environment: The environment.
        place: Where it stands.

    Attributes:
        balancer: The load balancer.
        group: The tasks as targets.
        host: Its DNS name.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, place: Place) -> None:
        super().__init__(scope, construct_id)
        self._hosting = environment.gateway
        public = self._is_public
        security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=place.vpc,
            description=f"Load balancer of the gateway, {'public' if public else 'inside the VPC'}",
            allow_all_outbound=False,
        )
        self.balancer = elb.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=place.vpc,
            vpc_subnets=place.subnets,
            internet_facing=public,
            security_group=security_group,
            drop_invalid_header_fields=True,
            desync_mitigation_mode=elb.DesyncMitigationMode.STRICTEST,
            deletion_protection=environment.retains,
            idle_timeout=cdk.Duration.seconds(server.IDLE_TIMEOUT_SECONDS),
        )
        self.host = self.balancer.load_balancer_dns_name
        self.group = self._build_group(place.vpc)
        acknowledge(
            self.balancer,
            {
                "AwsSolutions-ELB2": "LiteLLM logs each request with the alias of its key, and access logs would need "
                "a bucket of their own."
            },
        )

    _is_public = False

    def _build_group(self, vpc: ec2.IVpc) -> elb.ApplicationTargetGroup:
        return elb.ApplicationTargetGroup(
            self,
            "Tasks",
            vpc=vpc,
            port=GATEWAY_PORT,
            protocol=elb.ApplicationProtocol.HTTP,
            target_type=elb.TargetType.IP,
            # A stream holds a task for minutes: how many requests it has says more than whose turn it is.
            load_balancing_algorithm_type=elb.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
            deregistration_delay=cdk.Duration.seconds(server.DEREGISTRATION_SECONDS),
            health_check=elb.HealthCheck(
                path=server.READINESS,
                healthy_http_codes="200",
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(6),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )

    def _open_inference(self, listener: elb.ApplicationListener) -> None:
        """Lets inference paths through; the listener answers everything else itself."""
        paths = [f"{prefix}{path}" for path in INFERENCE_PATHS for prefix in ("/v1", "")]
        for number, patterns in enumerate(_in_parts(paths, _PATTERNS_IN_A_RULE), start=1):
            listener.add_action(
                f"Inference{number}",
                priority=number,
                conditions=[elb.ListenerCondition.path_patterns(patterns)],
                action=elb.ListenerAction.forward([self.group]),
            )

    def _let_in(self, peers: Sequence[str], port: int) -> None:
        for cidr in peers:
            self.balancer.connections.allow_from(ec2.Peer.ipv4(cidr), ec2.Port.tcp(port), "Operators")


class InternalBalancer(GatewayBalancer):
    """The door for agents, inside the VPC, and beside it the one for operators.

    Args:
        scope: The construct that it is part of.
        construct_id: Id in the scope.
        environment: The environment.
        place: Private subnets.
        clients: Security group of the agents.

    Attributes:
        has_admin: Whether it has the operators' listener.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        place: Place,
        clients: ec2.ISecurityGroup,
    ) -> None:
        super().__init__(scope, construct_id, environment=environment, place=place)
        inference = self.balancer.add_listener(
            "Listener",
            port=GATEWAY_PORT,
            protocol=elb.ApplicationProtocol.HTTP,
            open=False,
            default_action=_not_found(),
        )
        self._open_inference(inference)
        self.balancer.connections.allow_from(clients, ec2.Port.tcp(GATEWAY_PORT), "Agents of the environment")
        # On this machine whoever reaches the port is the operator.
        self.has_admin = self._hosting.is_managed or bool(self._hosting.operator_cidrs) or environment.is_emulated
        if self.has_admin:
            self.balancer.add_listener(
                "Admin",
                port=GATEWAY_ADMIN_PORT,
                protocol=elb.ApplicationProtocol.HTTP,
                open=False,
                default_action=elb.ListenerAction.forward([self.group]),
            )
            self._let_in(self._hosting.operator_cidrs, GATEWAY_ADMIN_PORT)
            self._let_in(self._hosting.operator_cidrs, GATEWAY_PORT)

    def allow_admin(self, peer: ec2.IConnectable, description: str) -> None:
        """Lets a part of the deployment itself to the operators' listener.

        Args:
            peer: Who calls.
            description: What for.
        """
        self.balancer.connections.allow_from(peer, ec2.Port.tcp(GATEWAY_ADMIN_PORT), description)


class PublicBalancer(GatewayBalancer):
    """The door for callers outside: TLS, and a web firewall in front.

    Args:
        scope: The construct that it is part of.
        construct_id: Id in the scope.
        environment: The environment; it names a certificate.
        place: Public subnets.
    """

    _is_public = True

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, place: Place) -> None:
        super().__init__(scope, construct_id, environment=environment, place=place)
        certificate = acm.Certificate.from_certificate_arn(
            self, "Certificate", str(environment.gateway.certificate_arn)
        )
        self._open_inference(self._add_tls_listener("Listener", _HTTPS, certificate, _not_found()))
        self.balancer.connections.allow_from_any_ipv4(ec2.Port.tcp(_HTTPS), "Callers outside")
        if self._hosting.operator_cidrs:
            forward = elb.ListenerAction.forward([self.group])
            self._add_tls_listener("Admin", GATEWAY_PUBLIC_ADMIN_PORT, certificate, forward)
            self._let_in(self._hosting.operator_cidrs, GATEWAY_PUBLIC_ADMIN_PORT)
        self._add_firewall()
        acknowledge(
            self,
            {"AwsSolutions-EC23": "A public gateway answers everybody with a key: by TLS, and behind a web firewall."},
        )

    def _add_tls_listener(
        self, construct_id: str, port: int, certificate: acm.ICertificate, default: elb.ListenerAction
    ) -> elb.ApplicationListener:
        return self.balancer.add_listener(
            construct_id,
            port=port,
            protocol=elb.ApplicationProtocol.HTTPS,
            certificates=[certificate],
            ssl_policy=elb.SslPolicy.RECOMMENDED_TLS,
            open=False,
            default_action=default,
        )

    def _add_firewall(self) -> None:
        """Adds the web firewall.

        Of AWS's rule groups only those that look at addresses and at the form of requests: the core rule set takes code
        and mark-up in a body for an attack, and prompts hold both.
        """
        acl = wafv2.CfnWebACL(
            self,
            "Firewall",
            scope="REGIONAL",
            description="In front of the public gateway",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility("Gateway"),
            rules=[
                _managed("AWSManagedRulesAmazonIpReputationList", 1),
                _managed(
                    "AWSManagedRulesKnownBadInputsRuleSet", 2, counted=("Log4JRCE_BODY", "JavaDeserializationRCE_BODY")
                ),
                _rate_limit(3),
            ],
        )
        wafv2.CfnWebACLAssociation(
            self, "FirewallAssociation", resource_arn=self.balancer.load_balancer_arn, web_acl_arn=acl.attr_arn
        )


def _not_found() -> elb.ListenerAction:
    return elb.ListenerAction.fixed_response(
        404, content_type="application/json", message_body=json.dumps(_NOT_FOUND, separators=(",", ":"))
    )


def _in_parts(items: Sequence[str], size: int) -> list[list[str]]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )


def _managed(name: str, priority: int, *, counted: Sequence[str] = ()) -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_visibility(name),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(
                        name=rule, action_to_use=wafv2.CfnWebACL.RuleActionProperty(count={})
                    )
                    for rule in counted
                ],
            )
        ),
    )


def _rate_limit(priority: int) -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name="RequestsOfOneAddress",
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_visibility("RequestsOfOneAddress"),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                limit=_REQUESTS_IN_FIVE_MINUTES, aggregate_key_type="IP"
            )
        ),
    )
