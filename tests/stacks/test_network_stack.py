"""A VPC of our own, or one that exists; what stays whoever uses it."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.gateways import ingress_of
from tests.stacks.projects import Assembly, blueprint, synthesise, text_of, write_project

SUBNET, GROUP = "AWS::EC2::Subnet", "AWS::EC2::SecurityGroup"


def test_our_own_vpc_spans_two_zones_with_public_and_private_subnets(assembly: Assembly) -> None:
    subnets = [subnet["Properties"] for _, _, subnet in assembly.resources(SUBNET, "Simulation/Network")]

    assert {subnet["AvailabilityZone"] for subnet in subnets} == {"us-east-1a", "us-east-1b"}
    assert sorted(subnet["MapPublicIpOnLaunch"] for subnet in subnets) == [False, False, True, True]


def endpoints(assembly: Assembly, stack: str, kind: str) -> dict[str, dict[str, Any]]:
    """The endpoints of a network by the last word of their service's name."""
    found = [each["Properties"] for _, _, each in assembly.resources("AWS::EC2::VPCEndpoint", stack)]
    return {text_of(each["ServiceName"]).rpartition(".")[2]: each for each in found if each["VpcEndpointType"] == kind}


def test_agents_reach_s3_for_nothing(assembly: Assembly) -> None:
    assert set(endpoints(assembly, "Simulation/Network", "Gateway")) == {"s3"}


def test_agents_reach_what_they_use_without_leaving_the_vpc(assembly: Assembly) -> None:
    found = endpoints(assembly, "Simulation/Network", "Interface")

    assert set(found) == {"secretsmanager", "logs", "xray"}
    assert all(endpoint["PrivateDnsEnabled"] is True for endpoint in found.values())


def network_of(tmp_path: Path, agents: list[dict[str, Any]], **environment: Any) -> Assembly:
    root = write_project(tmp_path, agents, {"staging": {**ENVIRONMENTS["staging"], **environment}})
    return synthesise(root, tmp_path / "out")


def test_an_endpoint_stands_in_one_zone_where_one_task_serves(tmp_path: Path) -> None:
    found = endpoints(network_of(tmp_path, [blueprint("a")]), "Staging/Network", "Interface")

    assert {len(endpoint["SubnetIds"]) for endpoint in found.values()} == {1}


def test_an_endpoint_stands_in_every_zone_where_many_tasks_serve(tmp_path: Path) -> None:
    made = network_of(tmp_path, [blueprint("a")], gateway={"tasks": 2})

    assert {len(endpoint["SubnetIds"]) for endpoint in endpoints(made, "Staging/Network", "Interface").values()} == {2}


def test_an_agent_without_traces_pays_for_no_endpoint_for_them(tmp_path: Path) -> None:
    quiet = blueprint("a", observability={"enabled": False})

    found = endpoints(network_of(tmp_path, [quiet]), "Staging/Network", "Interface")

    assert set(found) == {"secretsmanager", "logs"}


OUTSIDE = {"model_base_url": "https://llm.example.com/v1", "runtime": {"network_mode": "PRIVATE"}}


def test_an_agent_inside_that_calls_the_internet_brings_a_nat_gateway_and_no_endpoints(tmp_path: Path) -> None:
    made = network_of(tmp_path, [blueprint("a", **OUTSIDE)])

    assert len([*made.resources("AWS::EC2::NatGateway")]) == 1
    assert not endpoints(made, "Staging/Network", "Interface")


@pytest.mark.parametrize(
    ("settings", "internet"),
    [
        ({"runtime": {"network_mode": "PRIVATE"}, "model_base_url": "https://10.0.0.9/v1"}, False),
        ({"tools": [{"mcp": {"url": "https://tools.example.com/mcp"}}]}, True),
        ({"observability": {"otlp": {"endpoint": "https://cloud.example.com/otel"}}}, True),
        ({"model_base_url": "https://llm.example.com/v1"}, False),  # network mode PUBLIC
    ],
)
def test_only_who_calls_an_address_outside_from_inside_needs_the_internet(
    tmp_path: Path, settings: dict[str, Any], *, internet: bool
) -> None:
    made = network_of(tmp_path, [blueprint("a", **settings)])

    assert bool([*made.resources("AWS::EC2::NatGateway")]) is internet


def test_without_a_nat_gateway_tasks_have_addresses_of_their_own_that_nobody_is_let_in_by(tmp_path: Path) -> None:
    made = network_of(tmp_path, [blueprint("a")])
    network = made.one("Staging/Gateway", "AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]

    assert network["AssignPublicIp"] == "ENABLED"
    assert all("PublicSubnet" in text_of(subnet) for subnet in network["Subnets"])
    assert {source for group, source, _ in ingress_of(made, "Staging/Gateway") if group == "TaskSecurityGroup"} == {
        "InternalSecurityGroup"
    }


def test_with_a_nat_gateway_tasks_are_in_private_subnets(tmp_path: Path) -> None:
    made = network_of(tmp_path, [blueprint("a")], network={"nat_gateways": 2})
    network = made.one("Staging/Gateway", "AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]

    assert network["AssignPublicIp"] == "DISABLED"
    assert all("PrivateSubnet" in text_of(subnet) for subnet in network["Subnets"])


def test_a_nat_gateway_that_comes_later_moves_no_subnet(tmp_path: Path) -> None:
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
    without = network_of(tmp_path / "without", [blueprint("a")])
    with_one = network_of(tmp_path / "with", [blueprint("a")], network={"nat_gateways": 1})

    def blocks(made: Assembly) -> dict[str, str]:
        return {name: found["Properties"]["CidrBlock"] for _, name, found in made.resources(SUBNET)}

    assert blocks(without) == blocks(with_one)
    assert exports(without, "Staging/Network") == exports(with_one, "Staging/Network")


def test_the_endpoint_answers_https_from_the_vpc_only(assembly: Assembly) -> None:
    (group,) = [
        group["Properties"]
        for _, name, group in assembly.resources(GROUP, "Simulation/Network")
        if name.startswith("Endpoint")
    ]

    (rule,) = group["SecurityGroupIngress"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("10.0.0.0/16", 443, 443)


def test_nobody_reaches_an_agent_over_the_network(assembly: Assembly, stage_names: list[str]) -> None:
    for stage in stage_names:
        for path, name, group in assembly.resources(GROUP, f"{stage}/Network"):
            if name.startswith("Agent"):
                assert "SecurityGroupIngress" not in group["Properties"], path


def test_traffic_is_recorded_with_the_environments_retention(assembly: Assembly) -> None:
    assembly.template("Simulation/Network").has_resource_properties(
        "AWS::EC2::FlowLog", {"ResourceType": "VPC", "TrafficType": "ALL"}
    )
    assembly.template("Simulation/Network").has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 30})


def test_an_existing_vpc_is_used_as_it_is(assembly: Assembly) -> None:
    resources = assembly.documents["Production/Network"]["Resources"]

    assert [resource["Type"] for resource in resources.values()] == [GROUP]
    (group,) = resources.values()
    assert group["Properties"]["VpcId"] == "vpc-0abc0abc0abc0abc0"


def test_the_stacks_of_an_existing_vpc_name_its_subnets(assembly: Assembly) -> None:
    subnets = ENVIRONMENTS["production"]["network"]["subnets"]  # type: ignore[index]
    runtime = assembly.one("Production/Agent-a", "AWS::BedrockAgentCore::Runtime")
    service = assembly.one("Production/Gateway", "AWS::ECS::Service")

    assert runtime["NetworkConfiguration"]["NetworkModeConfig"]["Subnets"] == subnets
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"] == subnets


def exports(assembly: Assembly, path: str) -> set[str]:
    outputs = assembly.documents[path].get("Outputs", {}).values()
    return {output["Export"]["Name"] for output in outputs if "Export" in output}


def test_exports_stay_when_the_last_agent_that_uses_them_goes(assembly: Assembly, tmp_path: Path) -> None:
    """CloudFormation refuses to drop an export in use, and this stack is deployed before the user's stack goes."""
    public = blueprint("a", model_base_url="https://llm.example.com/v1")
    root = write_project(tmp_path, [public], {"local": ENVIRONMENTS["local"]})

    without_users = synthesise(root, tmp_path / "out")

    for stack in ("Local/Network", "Local/Gateway"):
        assert exports(without_users, stack) == exports(assembly, stack) != set()


def test_exports_stay_when_the_gateway_goes(assembly: Assembly, tmp_path: Path) -> None:
    private = blueprint("a", model_base_url="https://llm.example.com/v1", runtime={"network_mode": "PRIVATE"})
    root = write_project(tmp_path, [private], {"local": ENVIRONMENTS["local"]}, gateway=None)

    without_gateway = synthesise(root, tmp_path / "out")

    assert exports(without_gateway, "Local/Network") == exports(assembly, "Local/Network")
    assert "Local/Gateway" not in without_gateway.stacks


def test_nothing_is_imported_that_is_not_exported(assembly: Assembly, stage_names: list[str]) -> None:
    for stage in stage_names:
        given = {name for path in assembly.stacks for name in exports(assembly, path) if path.startswith(f"{stage}/")}
        for path, document in assembly.documents.items():
            if path.startswith(f"{stage}/"):
                assert set(imports(document)) <= given, path


def imports(value: object) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in imports(item)]
    if not isinstance(value, dict):
        return []
    own = [value["Fn::ImportValue"]] if "Fn::ImportValue" in value else []
    return own + [name for item in value.values() for name in imports(item)]


@pytest.mark.parametrize("cidr", [f"10.0.0.0/{size}" for size in range(16, 25)])
@pytest.mark.parametrize("zones", [2, 3])
def test_every_size_and_number_of_zones_that_the_file_allows_fits(tmp_path: Path, cidr: str, zones: int) -> None:
    agent = blueprint("a", model_base_url="https://llm.example.com/v1", runtime={"network_mode": "PRIVATE"})
    environment = {**ENVIRONMENTS["local"], "network": {"cidr": cidr, "max_azs": zones}}
    root = write_project(tmp_path, [agent], {"local": environment}, gateway=None)

    network = synthesise(root, tmp_path / "out")

    blocks = [
        ipaddress.ip_network(subnet["Properties"]["CidrBlock"]) for _, _, subnet in network.resources(SUBNET, "Local")
    ]
    assert len(blocks) == 2 * zones
    assert all(block.subnet_of(ipaddress.ip_network(cidr)) for block in blocks)  # type: ignore[arg-type]
    assert not any(one.overlaps(other) for one in blocks for other in blocks if one is not other)


def test_a_vpc_without_nat_gateways_has_none_whoever_calls_the_internet(tmp_path: Path) -> None:
    made = network_of(tmp_path, [blueprint("a", **OUTSIDE)], network={"nat_gateways": 0})

    assert not [*made.resources("AWS::EC2::NatGateway")]


def test_an_environment_of_public_agents_alone_has_no_network(tmp_path: Path) -> None:
    public = blueprint("a", model_base_url="https://llm.example.com/v1")
    root = write_project(tmp_path, [public], {"local": ENVIRONMENTS["local"]}, gateway=None)

    assert set(synthesise(root, tmp_path / "out").stacks) == {"Local/Secrets", "Local/Checks", "Local/Agent-a"}
