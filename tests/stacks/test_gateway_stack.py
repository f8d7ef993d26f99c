"""LiteLLM on ECS: what a task may do to itself and others, how it is replaced, multiplied and rolled back."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest

from gateway import server
from gateway.image import LITELLM_VERSION, read_image_lock
from stacks.gateway_bundle import bootstrap_source
from tests.stacks.gateways import (
    BALANCER,
    GROUP,
    attributes,
    container_of,
    properties,
    task_of,
    variables_of,
)
from tests.stacks.projects import ROOT, Assembly

STAGES = ["Local", "Simulation", "Staging", "Production"]
BALANCED = ["Local", "Staging", "Production"]


@pytest.fixture(params=STAGES)
def stack(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/Gateway"


@pytest.fixture(params=BALANCED)
def balanced(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/Gateway"


@pytest.mark.parametrize(
    ("stage", "size"), [("Simulation", ("512", "1024")), ("Staging", ("512", "2048")), ("Production", ("2048", "4096"))]
)
def test_tasks_run_on_arm64_in_the_environments_size(assembly: Assembly, stage: str, size: tuple[str, str]) -> None:
    task = task_of(assembly, f"{stage}/Gateway")

    assert task["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    assert (task["Cpu"], task["Memory"]) == size


@pytest.mark.parametrize(("stage", "tasks"), [("Simulation", 1), ("Staging", 1), ("Production", 2)])
def test_as_many_tasks_run_as_the_environment_says(assembly: Assembly, stage: str, tasks: int) -> None:
    assert assembly.one(f"{stage}/Gateway", "AWS::ECS::Service")["DesiredCount"] == tasks


def test_a_task_has_one_worker(assembly: Assembly, stack: str) -> None:
    command = container_of(assembly, stack)["Command"]

    assert command[command.index("--workers") + 1] == "1"


def test_the_image_that_is_pinned_is_the_version_that_the_requirements_name() -> None:
    locked = re.search(r"^litellm==(\S+)", (ROOT / "gateway" / "requirements.lock").read_text(), re.MULTILINE)

    assert locked
    assert locked[1] == LITELLM_VERSION
    assert read_image_lock().managed.tag == f"v{LITELLM_VERSION}"


def test_no_account_of_aws_is_given_an_image_by_its_tag(assembly: Assembly, stack: str) -> None:
    images = {str(container["Image"]) for container in task_of(assembly, stack)["ContainerDefinitions"]}
    parameters = assembly.documents[stack].get("Parameters", {})

    assert len(images) == 1
    if stack.startswith("Local"):
        assert images == {read_image_lock().managed.name}
    elif "ImageDigest" in parameters:
        # A parameter without a default is a question to whoever deploys: nothing goes out that nobody has answered.
        assert "Default" not in parameters["ImageDigest"]
        assert parameters["ImageDigest"]["AllowedPattern"] == "sha256:[0-9a-f]{64}"
        assert "strandline gateway pin-image" in parameters["ImageDigest"]["Description"]
        assert "@" in next(iter(images))
    else:
        assert re.search(r"@sha256:[0-9a-f]{64}$", next(iter(images)))


def test_a_task_runs_as_nobody_on_a_file_system_that_it_cannot_write_to(assembly: Assembly, stack: str) -> None:
    litellm = container_of(assembly, stack)

    assert litellm["User"] == "65534:65534"
    assert all(container["ReadonlyRootFilesystem"] for container in task_of(assembly, stack)["ContainerDefinitions"])
    assert litellm["MountPoints"] == [{"ContainerPath": "/tmp", "ReadOnly": False, "SourceVolume": "scratch"}]
    assert task_of(assembly, stack)["Volumes"] == [{"Name": "scratch"}]


def test_what_opens_the_scratch_volume_does_nothing_else_and_is_given_nothing(assembly: Assembly, stack: str) -> None:
    scratch = container_of(assembly, stack, "Scratch")

    assert scratch["EntryPoint"] == ["python3", "-c", "import os; os.chmod('/tmp', 0o1777)"]
    assert scratch["Essential"] is False
    assert not {"Secrets", "Environment", "PortMappings"} & set(scratch)
    assert container_of(assembly, stack)["DependsOn"] == [{"Condition": "SUCCESS", "ContainerName": "Scratch"}]


def test_secrets_come_by_reference_and_never_as_a_variable(assembly: Assembly, stack: str) -> None:
    definition = container_of(assembly, stack)
    secrets = {secret["Name"]: secret["ValueFrom"] for secret in definition["Secrets"]}

    assert "LITELLM_MASTER_KEY" in secrets
    assert ("LITELLM_SALT_KEY" in secrets) is not ("STRANDLINE_GATEWAY_KEY" in secrets)
    assert set(variables_of(definition)).isdisjoint(secrets)
    for name, arn in secrets.items():
        environment = stack.partition("/")[0].lower()
        assert re.fullmatch(rf"arn:aws:secretsmanager:[a-z0-9-]+:\d{{12}}:secret:strandline/{environment}/{name}", arn)


@pytest.mark.parametrize(("stage", "given"), [("Simulation", False), ("Staging", True), ("Production", True)])
def test_a_gateway_that_calls_no_provider_is_given_no_key_of_one(
    assembly: Assembly, stage: str, *, given: bool
) -> None:
    names = {secret["Name"] for secret in container_of(assembly, f"{stage}/Gateway")["Secrets"]}

    assert ("OPENAI_API_KEY" in names) is given


def test_litellm_is_told_to_fetch_load_and_log_nothing_it_should_not(assembly: Assembly, stack: str) -> None:
    variables = variables_of(container_of(assembly, stack))

    assert variables["LITELLM_MODE"] == "PRODUCTION"
    assert variables["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert variables["LITELLM_LOG"] == "WARNING"
    assert variables["NO_DOCS"] == variables["NO_REDOC"] == "True"


def test_a_task_starts_from_a_bundle_that_is_named_by_its_hash(assembly: Assembly, stack: str) -> None:
    definition = container_of(assembly, stack)

    assert definition["EntryPoint"] == ["python3", "-c", bootstrap_source()]
    assert re.fullmatch(r"s3://[a-z0-9-]+/[0-9a-f]{64}\.zip", definition["Command"][0])


def test_the_bundle_holds_the_configuration_and_our_code_and_no_secret(assembly: Assembly) -> None:
    name = container_of(assembly, "Staging/Gateway")["Command"][0].rpartition("/")[2]
    content = (assembly.folder / f"asset.{name}").read_bytes()

    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        assert {"config.yaml", "gateway/__init__.py", "gateway/proxy/hooks.py"} <= set(bundle.namelist())
        assert b"os.environ/OPENAI_API_KEY" in bundle.read("config.yaml")


def test_the_proxy_may_read_its_one_bundle(assembly: Assembly) -> None:
    role = next(
        found
        for name, found in properties(assembly, "Simulation/Gateway", "AWS::IAM::Role").items()
        if name.startswith("TaskRole")
    )
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    bundle = container_of(assembly, "Simulation/Gateway")["Command"][0]

    assert statement["Action"] == "s3:GetObject"
    assert statement["Resource"] == bundle.replace("s3://", "arn:aws:s3:::")


def test_the_container_and_the_targets_are_healthy_when_litellm_is_ready(assembly: Assembly, balanced: str) -> None:
    check = container_of(assembly, balanced)["HealthCheck"]

    assert any("/health/readiness" in word for word in check["Command"])
    assert not any("exit 0" in word for word in check["Command"])
    assert check["Timeout"] <= check["Interval"]
    for group in properties(assembly, balanced, GROUP).values():
        assert group["HealthCheckPath"] == "/health/readiness"
        assert group["Matcher"] == {"HttpCode": "200"}
        # The probe shares LiteLLM's event loop.
        assert group["HealthCheckTimeoutSeconds"] >= 5


def test_a_deployment_keeps_all_tasks_and_goes_back_when_it_fails(assembly: Assembly, stack: str) -> None:
    deployment = assembly.one(stack, "AWS::ECS::Service")["DeploymentConfiguration"]

    assert deployment["MinimumHealthyPercent"] == 100
    assert deployment["MaximumPercent"] == 200
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_tasks_are_spread_over_the_zones_and_stay_so(assembly: Assembly, stack: str) -> None:
    service = assembly.one(stack, "AWS::ECS::Service")

    assert service["AvailabilityZoneRebalancing"] == "ENABLED"
    assert len(service["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"]) == 2


def test_limits_widen_from_the_task_to_the_client(assembly: Assembly, balanced: str) -> None:
    definition = container_of(assembly, balanced)
    variables = variables_of(definition)
    keep_alive = int(definition["Command"][definition["Command"].index("--keep-alive") + 1])
    (group,) = properties(assembly, balanced, GROUP).values()
    (balancer,) = properties(assembly, balanced, BALANCER).values()

    own_drain = int(variables["GRACEFUL_SHUTDOWN_TIMEOUT"])
    deregistration = int(attributes(group, "TargetGroupAttributes")["deregistration_delay.timeout_seconds"])
    idle = int(attributes(balancer, "LoadBalancerAttributes")["idle_timeout.timeout_seconds"])
    assert own_drain < definition["StopTimeout"] == 120  # Fargate's most
    assert definition["StopTimeout"] < deregistration <= idle < keep_alive
    assert deregistration >= server.LONGEST_REQUEST_SECONDS


def test_many_tasks_scale_on_cpu_and_on_requests(assembly: Assembly) -> None:
    stack = "Production/Gateway"
    target = assembly.one(stack, "AWS::ApplicationAutoScaling::ScalableTarget")
    policies = properties(assembly, stack, "AWS::ApplicationAutoScaling::ScalingPolicy").values()
    targets = {
        policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"]: (
            policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
        )
        for policy in policies
    }

    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    assert targets == {"ECSServiceAverageCPUUtilization": 60, "ALBRequestCountPerTarget": 6000}


@pytest.mark.parametrize("stage", ["Local", "Simulation", "Staging"])
def test_a_single_task_does_not_scale(assembly: Assembly, stage: str) -> None:
    assert not properties(assembly, f"{stage}/Gateway", "AWS::ApplicationAutoScaling::ScalableTarget")


@pytest.mark.parametrize(("stage", "spare"), [("Simulation", True), ("Staging", False), ("Production", False)])
def test_simulation_runs_on_spare_capacity(assembly: Assembly, stage: str, *, spare: bool) -> None:
    service = assembly.one(f"{stage}/Gateway", "AWS::ECS::Service")
    cluster = assembly.one(f"{stage}/Gateway", "AWS::ECS::Cluster")

    assert cluster.get("CapacityProviders") == (["FARGATE_SPOT"] if spare else None)
    strategy = service.get("CapacityProviderStrategy", [])
    assert [each["CapacityProvider"] for each in strategy] == (["FARGATE_SPOT"] if spare else [])
    assert service.get("LaunchType") == (None if spare else "FARGATE")


def test_logs_are_kept_as_long_as_the_environment_says(assembly: Assembly) -> None:
    for stage, days in (("Simulation", 30), ("Production", 365)):
        groups = properties(assembly, f"{stage}/Gateway", "AWS::Logs::LogGroup").values()
        assert {group["RetentionInDays"] for group in groups} == {days}


def test_a_log_group_that_outlives_its_stack_does_not_block_the_next(assembly: Assembly, stack: str) -> None:
    assert all("LogGroupName" not in group for group in properties(assembly, stack, "AWS::Logs::LogGroup").values())


def test_the_role_that_starts_tasks_is_whole_before_the_first_starts(assembly: Assembly, stack: str) -> None:
    """A policy beside the role could be attached after the service starts, and the circuit breaker would trip."""
    roles = properties(assembly, stack, "AWS::IAM::Role")
    attached: list[Any] = [
        policy["Roles"] for policy in properties(assembly, stack, "AWS::IAM::Policy").values() if "Roles" in policy
    ]

    assert not [name for name in roles if name.startswith("Task") and name in str(attached)]


@pytest.mark.parametrize(("stage", "decrypts"), [("Simulation", False), ("Staging", True), ("Production", True)])
def test_tasks_start_with_secrets_under_a_key_of_the_users_own(
    assembly: Assembly, stage: str, *, decrypts: bool
) -> None:
    roles = properties(assembly, f"{stage}/Gateway", "AWS::IAM::Role")
    starting = next(role for name, role in roles.items() if name.startswith("TaskExecutionRole"))

    assert ("kms:Decrypt" in str(starting)) is decrypts
