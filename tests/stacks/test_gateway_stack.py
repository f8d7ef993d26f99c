"""LiteLLM on ECS: who reaches it, what it is given, how it is replaced and rolled back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.image import LITELLM_VERSION, read_image_lock
from tests.stacks.projects import ROOT, Assembly

STAGES = ["Local", "Simulation", "Staging", "Production"]


@pytest.fixture(params=STAGES)
def stack(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/Gateway"


def container(assembly: Assembly, stack: str) -> dict[str, Any]:
    (found,) = assembly.one(stack, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    definition: dict[str, Any] = found
    return definition


def attributes(assembly: Assembly, stack: str, kind: str, name: str) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in assembly.one(stack, kind)[name]}


def test_the_task_runs_on_arm64_in_the_environments_size(assembly: Assembly) -> None:
    task = assembly.one("Production/Gateway", "AWS::ECS::TaskDefinition")

    assert task["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    assert (task["Cpu"], task["Memory"]) == ("2048", "4096")
    assert assembly.one("Production/Gateway", "AWS::ECS::Service")["DesiredCount"] == 2


def test_the_image_is_the_version_that_the_lock_names(assembly: Assembly, stack: str) -> None:
    locked = re.search(r"^litellm==(\S+)", (ROOT / "gateway" / "requirements.lock").read_text(), re.MULTILINE)

    assert locked
    assert locked[1] == LITELLM_VERSION
    assert container(assembly, stack)["Image"] == read_image_lock().managed.name


def test_secrets_come_by_reference_and_never_as_a_variable(assembly: Assembly, stack: str) -> None:
    definition = container(assembly, stack)
    secrets = {secret["Name"]: secret["ValueFrom"] for secret in definition["Secrets"]}
    variables = {variable["Name"] for variable in definition["Environment"]}

    assert set(secrets) == {"LITELLM_MASTER_KEY", "OPENAI_API_KEY"}
    assert variables.isdisjoint(secrets)
    for name, arn in secrets.items():
        environment = stack.partition("/")[0].lower()
        assert re.fullmatch(rf"arn:aws:secretsmanager:[a-z0-9-]+:\d{{12}}:secret:strandline/{environment}/{name}", arn)


def test_litellm_is_told_to_fetch_load_and_log_nothing_it_should_not(assembly: Assembly, stack: str) -> None:
    variables = {variable["Name"]: variable["Value"] for variable in container(assembly, stack)["Environment"]}

    assert variables["LITELLM_MODE"] == "PRODUCTION"
    assert variables["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert variables["LITELLM_LOG"] != "DEBUG"


def test_balancer_and_container_ask_whether_it_is_ready(assembly: Assembly, stack: str) -> None:
    group = assembly.one(stack, "AWS::ElasticLoadBalancingV2::TargetGroup")
    check = container(assembly, stack)["HealthCheck"]

    assert group["HealthCheckPath"] == "/health/readiness"
    assert group["Matcher"] == {"HttpCode": "200"}
    assert any("/health/readiness" in word for word in check["Command"])
    assert check["Timeout"] <= check["Interval"]


def test_a_deployment_keeps_all_tasks_and_goes_back_when_it_fails(assembly: Assembly, stack: str) -> None:
    deployment = assembly.one(stack, "AWS::ECS::Service")["DeploymentConfiguration"]

    assert deployment["MinimumHealthyPercent"] == 100
    assert deployment["MaximumPercent"] == 200
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_limits_widen_from_the_task_to_the_client(assembly: Assembly, stack: str) -> None:
    definition = container(assembly, stack)
    variables = {variable["Name"]: variable["Value"] for variable in definition["Environment"]}
    target = attributes(assembly, stack, "AWS::ElasticLoadBalancingV2::TargetGroup", "TargetGroupAttributes")
    balancer = attributes(assembly, stack, "AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerAttributes")

    own_drain = int(variables["GRACEFUL_SHUTDOWN_TIMEOUT"])
    deregistration = int(target["deregistration_delay.timeout_seconds"])
    assert own_drain < definition["StopTimeout"] <= 120  # Fargate's most
    assert definition["StopTimeout"] < deregistration <= int(balancer["idle_timeout.timeout_seconds"])


def test_the_balancer_is_inside_the_vpc_and_the_tasks_have_no_public_address(assembly: Assembly, stack: str) -> None:
    network = assembly.one(stack, "AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]

    assert assembly.one(stack, "AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == "internal"
    assert network["AssignPublicIp"] == "DISABLED"


@pytest.mark.parametrize(("stage", "protected"), [("Simulation", "false"), ("Staging", "true"), ("Production", "true")])
def test_the_balancer_is_protected_where_data_is_retained(assembly: Assembly, stage: str, protected: str) -> None:
    found = attributes(
        assembly, f"{stage}/Gateway", "AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerAttributes"
    )

    assert found["deletion_protection.enabled"] == protected
    assert found["routing.http.drop_invalid_header_fields.enabled"] == "true"


def test_only_agents_reach_the_balancer_and_only_the_balancer_the_tasks(assembly: Assembly, stack: str) -> None:
    resources = assembly.documents[stack]["Resources"]
    groups = {name for name, resource in resources.items() if resource["Type"] == "AWS::EC2::SecurityGroup"}
    rules = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::EC2::SecurityGroupIngress"
    ]
    sources = {rule["GroupId"]["Fn::GetAtt"][0]: rule["SourceSecurityGroupId"] for rule in rules}
    balancer = next(name for name in groups if "BalancerSecurityGroup" in name)
    tasks = next(name for name in groups if "TaskSecurityGroup" in name)

    assert groups == {balancer, tasks}
    assert all("SecurityGroupIngress" not in resources[group]["Properties"] for group in groups)
    assert all((rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (4000, 4000, "tcp") for rule in rules)
    assert sources[tasks] == {"Fn::GetAtt": [balancer, "GroupId"]}
    assert "AgentSecurityGroup" in sources[balancer]["Fn::ImportValue"]
    assert len(rules) == 2


def test_the_balancer_speaks_to_the_tasks_only(assembly: Assembly, stack: str) -> None:
    egress = assembly.one(stack, "AWS::EC2::SecurityGroupEgress")

    assert "TaskSecurityGroup" in egress["DestinationSecurityGroupId"]["Fn::GetAtt"][0]


def test_logs_are_kept_as_long_as_the_environment_says(assembly: Assembly) -> None:
    for stage, days in (("Simulation", 30), ("Production", 365)):
        assembly.template(f"{stage}/Gateway").has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": days})


def test_a_log_group_that_outlives_its_stack_does_not_block_the_next(assembly: Assembly, stack: str) -> None:
    assert "LogGroupName" not in assembly.one(stack, "AWS::Logs::LogGroup")


def test_the_role_that_starts_tasks_is_whole_before_the_first_starts(assembly: Assembly, stack: str) -> None:
    """A policy beside the role could be attached after the service starts, and the circuit breaker would trip."""
    assert not [*assembly.resources("AWS::IAM::Policy", stack)]


@pytest.mark.parametrize(("stage", "decrypts"), [("Simulation", False), ("Staging", True), ("Production", True)])
def test_tasks_start_with_secrets_under_a_key_of_the_users_own(
    assembly: Assembly, stage: str, *, decrypts: bool
) -> None:
    assert ("kms:Decrypt" in str(assembly.documents[f"{stage}/Gateway"])) is decrypts


def test_the_configuration_is_an_asset_that_holds_no_secret(assembly: Assembly) -> None:
    variables = {
        variable["Name"]: variable["Value"] for variable in container(assembly, "Simulation/Gateway")["Environment"]
    }
    staged = assembly.folder / f"asset.{variables['LITELLM_CONFIG_BUCKET_OBJECT_KEY']}"

    assert "os.environ/OPENAI_API_KEY" in staged.read_text()
