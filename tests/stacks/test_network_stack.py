"""A VPC of our own, or one that exists; what stays whoever uses it."""

import ipaddress
from pathlib import Path

import pytest

from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.projects import Assembly, blueprint, synthesise, write_project

SUBNET, GROUP = "AWS::EC2::Subnet", "AWS::EC2::SecurityGroup"


def test_our_own_vpc_spans_two_zones_with_public_and_private_subnets(assembly: Assembly) -> None:
    subnets = [subnet["Properties"] for _, _, subnet in assembly.resources(SUBNET, "Simulation/Network")]

    assert {subnet["AvailabilityZone"] for subnet in subnets} == {"us-east-1a", "us-east-1b"}
    assert sorted(subnet["MapPublicIpOnLaunch"] for subnet in subnets) == [False, False, True, True]


def test_agents_reach_s3_and_secrets_manager_without_leaving_the_vpc(assembly: Assembly) -> None:
    endpoints = {
        endpoint["Properties"]["VpcEndpointType"]: endpoint["Properties"]
        for _, _, endpoint in assembly.resources("AWS::EC2::VPCEndpoint", "Simulation/Network")
    }

    assert "s3" in str(endpoints["Gateway"]["ServiceName"])
    assert endpoints["Interface"]["ServiceName"] == "com.amazonaws.us-east-1.secretsmanager"
    assert endpoints["Interface"]["PrivateDnsEnabled"] is True
    assert len(endpoints["Interface"]["SubnetIds"]) == 2


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
    root = write_project(tmp_path, [public], {"simulation": ENVIRONMENTS["simulation"]})

    without_users = synthesise(root, tmp_path / "out")

    for stack in ("Simulation/Network", "Simulation/Gateway"):
        assert exports(without_users, stack) == exports(assembly, stack) != set()


def test_exports_stay_when_the_gateway_goes(assembly: Assembly, tmp_path: Path) -> None:
    private = blueprint("a", model_base_url="https://llm.example.com/v1", runtime={"network_mode": "PRIVATE"})
    root = write_project(tmp_path, [private], {"simulation": ENVIRONMENTS["simulation"]}, gateway=None)

    without_gateway = synthesise(root, tmp_path / "out")

    assert exports(without_gateway, "Simulation/Network") == exports(assembly, "Simulation/Network")
    assert "Simulation/Gateway" not in without_gateway.stacks


def test_nothing_is_imported_that_is_not_exported(assembly: Assembly, stage_names: list[str]) -> None:
    for stage in stage_names:
        given = exports(assembly, f"{stage}/Network") | exports(assembly, f"{stage}/Gateway")
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


def test_a_vpc_without_nat_gateways_has_none(tmp_path: Path) -> None:
    environment = {**ENVIRONMENTS["local"], "network": {"nat_gateways": 0}}
    root = write_project(tmp_path, [blueprint("a")], {"local": environment})

    assert not [*synthesise(root, tmp_path / "out").resources("AWS::EC2::NatGateway")]


def test_an_environment_of_public_agents_alone_has_no_network(tmp_path: Path) -> None:
    public = blueprint("a", model_base_url="https://llm.example.com/v1")
    root = write_project(tmp_path, [public], {"local": ENVIRONMENTS["local"]}, gateway=None)

    assert set(synthesise(root, tmp_path / "out").stacks) == {"Local/Secrets", "Local/Agent-a"}
