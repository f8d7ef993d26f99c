"""Who reaches the gateway, and with which paths: agents, operators, callers outside, nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.proxy.paths import is_inference
from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.gateways import (
    BALANCER,
    LISTENER,
    RULE,
    attributes,
    ingress_of,
    properties,
)
from tests.stacks.projects import Assembly, blueprint, synthesise, text_of, write_project

CERTIFICATE = "arn:aws:acm:us-east-1:111111111111:certificate/1234-abcd"
OPERATORS = ["10.8.0.0/16", "203.0.113.0/24"]
PUBLIC = {
    "reachability": "public",
    "hostname": "llm.example.com",
    "certificate_arn": CERTIFICATE,
    "operator_cidrs": OPERATORS,
    "alarm_topic_arn": "arn:aws:sns:us-east-1:111111111111:oncall",
}


@pytest.fixture(params=["Local", "Staging", "Production"])
def balanced(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/Gateway"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    environments = {
        "simulation": {**ENVIRONMENTS["simulation"], "gateway": PUBLIC},
        "staging": {**ENVIRONMENTS["staging"], "gateway": {"profile": "stateless"}},
    }
    root = write_project(tmp_path_factory.mktemp("public"), [blueprint("a")], environments)
    return synthesise(root, tmp_path_factory.mktemp("out"))


def listeners(assembly: Assembly, stack: str) -> dict[int, dict[str, Any]]:
    return {found["Port"]: {**found, "id": name} for name, found in properties(assembly, stack, LISTENER).items()}


def open_paths(assembly: Assembly, stack: str, listener: str) -> list[str]:
    rules = [rule for rule in properties(assembly, stack, RULE).values() if rule["ListenerArn"] == {"Ref": listener}]
    assert all(rule["Actions"][0]["Type"] == "forward" for rule in rules)
    paths = [
        path for rule in rules for condition in rule["Conditions"] for path in condition["PathPatternConfig"]["Values"]
    ]
    # Condition values of a rule ("Quotas for your Application Load Balancers").
    assert all(len(rule["Conditions"][0]["PathPatternConfig"]["Values"]) <= 5 for rule in rules)
    assert len({rule["Priority"] for rule in rules}) == len(rules)
    return paths


def is_fixed_404(listener: dict[str, Any]) -> bool:
    (action,) = listener["DefaultActions"]
    if action["Type"] != "fixed-response":
        return False
    body = json.loads(action["FixedResponseConfig"]["MessageBody"])
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return bool(action["FixedResponseConfig"]["StatusCode"] == "404")


def test_agents_open_inference_paths_and_no_other(assembly: Assembly, balanced: str) -> None:
    inference = listeners(assembly, balanced)[4000]
    paths = open_paths(assembly, balanced, inference["id"])

    assert is_fixed_404(inference)
    assert {"/v1/chat/completions", "/chat/completions", "/v1/embeddings", "/v1/models"} <= set(paths)
    assert all(is_inference(path) for path in paths)


@pytest.mark.parametrize("stage", ["Staging", "Production"])
def test_admin_routes_are_behind_a_port_that_agents_do_not_reach(assembly: Assembly, stage: str) -> None:
    stack = f"{stage}/Gateway"
    (action,) = listeners(assembly, stack)[4001]["DefaultActions"]

    assert action["Type"] == "forward"
    assert ("InternalSecurityGroup", "AgentSecurityGroup", 4000) in ingress_of(assembly, stack)
    assert not [rule for rule in ingress_of(assembly, stack) if rule[1:] == ("AgentSecurityGroup", 4001)]


def test_a_gateway_without_keys_and_operators_has_no_admin_port(public: Assembly) -> None:
    assert set(listeners(public, "Staging/Gateway")) == {4000}


def test_on_this_machine_the_admin_port_is_open_to_whoever_sits_at_it(assembly: Assembly) -> None:
    assert set(listeners(assembly, "Local/Gateway")) == {4000, 4001}


def test_only_agents_reach_the_balancer_and_only_the_balancer_the_tasks(assembly: Assembly) -> None:
    assert ingress_of(assembly, "Local/Gateway") == {
        ("InternalSecurityGroup", "AgentSecurityGroup", 4000),
        ("TaskSecurityGroup", "InternalSecurityGroup", 4000),
    }


def test_the_balancer_speaks_to_the_tasks_only(assembly: Assembly, balanced: str) -> None:
    outwards = [
        rule["DestinationSecurityGroupId"]
        for rule in properties(assembly, balanced, "AWS::EC2::SecurityGroupEgress").values()
        if "InternalSecurityGroup" in text_of(rule["GroupId"])
    ]

    assert outwards
    # Of the tasks' groups only: their own, and that by which they reach their data.
    assert all("TaskSecurityGroup" in text_of(group) or "Clients" in text_of(group) for group in outwards)


def test_tasks_wait_for_the_rules_that_lead_to_them(assembly: Assembly, balanced: str) -> None:
    """ECS refuses a service whose targets belong to no load balancer yet."""
    resources = assembly.documents[balanced]["Resources"]
    (service,) = [each for each in resources.values() if each["Type"] == "AWS::ECS::Service"]

    assert set(properties(assembly, balanced, RULE)) <= set(service["DependsOn"])


def test_the_balancer_is_inside_the_vpc(assembly: Assembly, balanced: str) -> None:
    (balancer,) = properties(assembly, balanced, BALANCER).values()

    assert balancer["Scheme"] == "internal"


@pytest.mark.parametrize(("stage", "protected"), [("Local", "false"), ("Staging", "true"), ("Production", "true")])
def test_the_balancer_is_protected_where_data_is_retained(assembly: Assembly, stage: str, protected: str) -> None:
    (balancer,) = properties(assembly, f"{stage}/Gateway", BALANCER).values()
    found = attributes(balancer, "LoadBalancerAttributes")

    assert found["deletion_protection.enabled"] == protected
    assert found["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert found["routing.http.desync_mitigation_mode"] == "strictest"


def test_simulation_is_found_by_a_name_and_pays_for_no_balancer(assembly: Assembly) -> None:
    stack = "Simulation/Gateway"
    namespace = assembly.one(stack, "AWS::ServiceDiscovery::PrivateDnsNamespace")
    record = assembly.one(stack, "AWS::ServiceDiscovery::Service")["DnsConfig"]["DnsRecords"]

    assert namespace["Name"] == "simulation.strandline.internal"
    assert record == [{"TTL": 10, "Type": "A"}]
    assert not properties(assembly, stack, BALANCER)
    assert len(assembly.one(stack, "AWS::ECS::Service")["ServiceRegistries"]) == 1
    assert ingress_of(assembly, stack) == {("TaskSecurityGroup", "AgentSecurityGroup", 4000)}


def test_agents_are_told_the_name(assembly: Assembly) -> None:
    runtime = assembly.one("Simulation/Agent-a", "AWS::BedrockAgentCore::Runtime")

    assert runtime["EnvironmentVariables"]["STRANDLINE_GATEWAY_URL"] == (
        "http://gateway.simulation.strandline.internal:4000"
    )


def test_callers_outside_come_by_tls_with_inference_paths_only(public: Assembly) -> None:
    stack = "Simulation/Gateway"
    outside = listeners(public, stack)[443]

    assert is_fixed_404(outside)
    assert all(is_inference(path) for path in open_paths(public, stack, outside["id"]))
    for port in (443, 8443):
        listener = listeners(public, stack)[port]
        assert listener["Protocol"] == "HTTPS"
        assert "TLS13" in listener["SslPolicy"]
        assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]


def test_operators_come_from_their_network_only(public: Assembly) -> None:
    rules = ingress_of(public, "Simulation/Gateway")

    assert {source for group, source, port in rules if port in (4001, 8443)} == set(OPERATORS)
    assert {(group, port) for group, source, port in rules if source == "0.0.0.0/0"} == {("PublicSecurityGroup", 443)}


def test_agents_of_a_public_gateway_stay_inside(public: Assembly) -> None:
    schemes = {found["Scheme"] for found in properties(public, "Simulation/Gateway", BALANCER).values()}

    assert schemes == {"internal", "internet-facing"}
    assert ("InternalSecurityGroup", "AgentSecurityGroup", 4000) in ingress_of(public, "Simulation/Gateway")


def test_a_public_gateway_stands_behind_a_web_firewall(public: Assembly) -> None:
    stack = "Simulation/Gateway"
    acl = public.one(stack, "AWS::WAFv2::WebACL")
    association = public.one(stack, "AWS::WAFv2::WebACLAssociation")

    assert acl["Scope"] == "REGIONAL"
    assert [rule["Name"] for rule in acl["Rules"]] == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "RequestsOfOneAddress",
    ]
    assert "Public" in text_of(association["ResourceArn"])


def test_a_public_gateway_tells_what_its_dns_record_points_at(public: Assembly) -> None:
    outputs = public.documents["Simulation/Gateway"]["Outputs"]

    assert outputs["PublicUrl"]["Value"] == "https://llm.example.com"
    assert "Public" in text_of(outputs["PublicBalancer"]["Value"])
    assert text_of(outputs["AdminUrl"]["Value"]).endswith(":4001")


def test_a_gateway_inside_the_vpc_has_no_firewall_and_no_certificate(assembly: Assembly, balanced: str) -> None:
    assert not properties(assembly, balanced, "AWS::WAFv2::WebACL")
    assert {listener["Protocol"] for listener in listeners(assembly, balanced).values()} == {"HTTP"}


def test_alarms_tell_the_topic(public: Assembly) -> None:
    alarms = properties(public, "Simulation/Gateway", "AWS::CloudWatch::Alarm").values()

    assert alarms
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [PUBLIC["alarm_topic_arn"]] for alarm in alarms)
