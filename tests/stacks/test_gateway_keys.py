"""Keys of agents at a managed gateway: who has one, what it may do, and what waits for it."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from gateway.proxy.paths import INFERENCE_PATHS
from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.iam import Request, allows, as_list
from tests.stacks.projects import ROOT, Assembly, blueprint, synthesise, write_project
from tests.stacks.test_isolation import policies_of

if TYPE_CHECKING:
    from pathlib import Path

KEY, SECRET = "Custom::StrandlineAgentKey", "AWS::SecretsManager::Secret"
RUNTIME = "AWS::BedrockAgentCore::Runtime"
BUDGET = {"max_usd": 5, "per": "week", "rpm": 60, "tpm": 1000, "models": ["large"]}
MODELS = {name: {"model": "openai/gpt-4.1-mini", "api_key_env": "OPENAI_API_KEY"} for name in ("demo", "large")}


@pytest.fixture(scope="module")
def budgeted(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    agents = [
        blueprint("spender", budget=BUDGET),
        blueprint("free"),
        blueprint("own-key", model_api_key_env="KEY"),
        blueprint("elsewhere", model_base_url="https://llm.example.com/v1"),
    ]
    environments = {name: ENVIRONMENTS[name] for name in ("simulation", "staging")}
    root = write_project(tmp_path_factory.mktemp("project"), agents, environments, {"models": MODELS})
    return synthesise(root, tmp_path_factory.mktemp("assembly"))


def key_of(assembly: Assembly, agent: str) -> dict[str, Any]:
    return assembly.one(f"Staging/Agent-{agent}", KEY)


def test_each_agent_of_the_gateway_that_names_no_key_has_one_minted_where_there_is_a_database(
    budgeted: Assembly,
) -> None:
    assert {path for path, _, _ in budgeted.resources(KEY)} == {"Staging/Agent-spender", "Staging/Agent-free"}


def test_the_key_has_the_budget_of_the_blueprint_and_opens_its_models(budgeted: Assembly) -> None:
    key = key_of(budgeted, "spender")

    assert {name: key[name] for name in ("Agent", "MaxUsd", "Per", "Rpm", "Tpm", "Models")} == {
        "Agent": "spender",
        "MaxUsd": "5.0",
        "Per": "week",
        "Rpm": "60",
        "Tpm": "1000",
        "Models": ["demo", "large"],
    }
    assert set(key["Routes"]) == {f"{prefix}{path}" for path in INFERENCE_PATHS for prefix in ("", "/v1")}


def test_without_a_budget_the_key_opens_the_agents_own_model_only(budgeted: Assembly) -> None:
    key = key_of(budgeted, "free")

    assert key["Models"] == ["demo"]
    assert not {"MaxUsd", "Per", "Rpm", "Tpm"} & set(key)


def test_the_agent_is_told_the_name_of_its_key_and_is_made_when_there_is_one(budgeted: Assembly) -> None:
    path = "Staging/Agent-spender"
    resources = budgeted.documents[path]["Resources"]
    runtime = resources["Runtime"]
    (key,) = [name for name, resource in resources.items() if resource["Type"] == KEY]

    variables = runtime["Properties"]["EnvironmentVariables"]
    assert variables["STRANDLINE_GATEWAY_KEY"] == "GATEWAY_KEY_SPENDER"
    assert key in runtime["DependsOn"]
    assert budgeted.one(path, SECRET)["Name"] == "strandline/staging/GATEWAY_KEY_SPENDER"


def test_the_key_goes_with_the_agent_even_where_data_is_retained(budgeted: Assembly) -> None:
    for kind in (KEY, SECRET):
        ((_, _, resource),) = list(budgeted.resources(kind, "Staging/Agent-spender"))
        assert resource["DeletionPolicy"] == "Delete"


def test_no_value_comes_back_through_cloudformation(budgeted: Assembly) -> None:
    text = str(budgeted.documents["Staging/Agent-spender"])

    ((_, key, _),) = list(budgeted.resources(KEY, "Staging/Agent-spender"))
    assert f"'Fn::GetAtt': ['{key}'" not in text
    assert "resolve:" not in text


def test_without_a_database_agents_have_the_environments_one_key(budgeted: Assembly) -> None:
    variables = budgeted.one("Simulation/Agent-spender", RUNTIME)["EnvironmentVariables"]

    assert variables["STRANDLINE_GATEWAY_KEY"] == "STRANDLINE_GATEWAY_KEY"
    assert not [*budgeted.resources("AWS::Lambda::Function", "Simulation/Gateway")]


def test_what_mints_keys_stands_where_it_reaches_the_admin_routes_and_no_agent_does(assembly: Assembly) -> None:
    functions = {
        name: resource["Properties"]
        for _, name, resource in assembly.resources("AWS::Lambda::Function", "Production/Gateway")
    }
    (function,) = [one for name, one in functions.items() if name.startswith("Keys")]
    (group,) = function["VpcConfig"]["SecurityGroupIds"]
    admin = [
        rule["Properties"]["SourceSecurityGroupId"]
        for _, _, rule in assembly.resources("AWS::EC2::SecurityGroupIngress", "Production/Gateway")
        if rule["Properties"]["FromPort"] == 4001
    ]

    assert admin == [group]
    assert len(function["VpcConfig"]["SubnetIds"]) == 2
    variables = function["Environment"]["Variables"]
    assert variables["MASTER_KEY_SECRET"] == "strandline/production/LITELLM_MASTER_KEY"
    assert set(variables) == {"STRANDLINE_ENVIRONMENT", "GATEWAY_URL", "MASTER_KEY_SECRET"}


def test_the_functions_code_is_what_the_tests_run_and_the_same_on_every_machine(
    assembly: Assembly, budgeted: Assembly
) -> None:
    codes = {
        resource["Properties"]["Code"]["S3Key"]
        for each in (assembly, budgeted)
        for _, _, resource in each.resources("AWS::Lambda::Function")
    }

    (key,) = codes
    with zipfile.ZipFile(io.BytesIO((assembly.folder / f"asset.{key}").read_bytes())) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    files = (ROOT / "stacks" / "custom_resources").glob("*.py")
    assert packed == {f"custom_resources/{file.name}": file.read_bytes() for file in files}


def test_the_service_waits_for_the_migration_and_the_keys_for_the_service(assembly: Assembly) -> None:
    for stage in ("Staging", "Production"):
        resources = assembly.documents[f"{stage}/Gateway"]["Resources"]
        by_type = {resource["Type"]: name for name, resource in resources.items()}
        service, migration = by_type["AWS::ECS::Service"], by_type["Custom::StrandlineMigration"]
        assert migration in resources[service]["DependsOn"]


def test_the_migration_runs_the_services_image_and_again_only_for_another(tmp_path: Path) -> None:
    """A route to another model changes the servers' bundle, and nothing of the migration."""

    def migration(model: str, name: str) -> tuple[Any, Any]:
        models = {"demo": {"model": model, "api_key_env": "OPENAI_API_KEY"}}
        root = write_project(tmp_path, [blueprint("a")], {"staging": ENVIRONMENTS["staging"]}, {"models": models})
        made = synthesise(root, tmp_path / name)
        definitions = {
            name: resource["Properties"]
            for _, name, resource in made.resources("AWS::ECS::TaskDefinition", "Staging/Gateway")
        }
        (own,) = [one for name, one in definitions.items() if name.startswith("Migration")]
        (servers,) = [one for name, one in definitions.items() if not name.startswith("Migration")]
        return own, servers

    (first, servers), (second, rerouted) = (
        migration(model, name) for model, name in (("openai/gpt-4.1-mini", "one"), ("openai/gpt-4.1", "two"))
    )

    assert first == second
    assert servers != rerouted
    assert {str(container["Image"]) for container in first["ContainerDefinitions"]} == {
        str(container["Image"]) for container in servers["ContainerDefinitions"]
    }
    (container,) = [one for one in first["ContainerDefinitions"] if one["Name"] == "Migration"]
    (secret,) = container["Secrets"]
    assert secret["Name"] == "DATABASE_PASSWORD"
    assert ":password::" in str(secret["ValueFrom"])
    assert container["ReadonlyRootFilesystem"] is True
    assert container["User"] == "65534:65534"


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Two environments in which every key that nobody types is replaced every thirty days."""
    environments = {name: {**ENVIRONMENTS[name], "rotation": "30d"} for name in ("simulation", "staging")}
    root = write_project(tmp_path_factory.mktemp("project"), [blueprint("tide")], environments, {"models": MODELS})
    return synthesise(root, tmp_path_factory.mktemp("assembly"))


def test_a_schedule_replaces_each_minted_key_once_there_is_one(scheduled: Assembly) -> None:
    path = "Staging/Agent-tide"
    schedule = scheduled.one(path, "AWS::SecretsManager::RotationSchedule")
    ((_, _, resource),) = list(scheduled.resources("AWS::SecretsManager::RotationSchedule", path))
    ((_, minted, _),) = list(scheduled.resources(KEY, path))

    assert schedule["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert schedule["RotateImmediatelyOnUpdate"] is False
    assert minted in resource["DependsOn"]
    assert {"Key": "strandline:agent", "Value": "tide"} in scheduled.one(path, SECRET)["Tags"]


def test_only_secrets_manager_and_the_daily_look_may_call_what_rotates(scheduled: Assembly) -> None:
    permissions = {
        resource["Properties"]["Principal"]: resource["Properties"]
        for _, _, resource in scheduled.resources("AWS::Lambda::Permission", "Staging/Gateway")
    }

    assert set(permissions) == {"secretsmanager.amazonaws.com", "events.amazonaws.com"}
    assert permissions["secretsmanager.amazonaws.com"]["SourceAccount"] == ENVIRONMENTS["staging"]["account"]
    assert permissions["events.amazonaws.com"]["SourceArn"]


def test_a_rotation_that_fails_or_never_comes_is_an_alarm(scheduled: Assembly, budgeted: Assembly) -> None:
    def alarms(assembly: Assembly) -> dict[str, dict[str, Any]]:
        found = assembly.resources("AWS::CloudWatch::Alarm", "Staging/Gateway")
        return {
            resource["Properties"]["MetricName"]: resource["Properties"]
            for _, _, resource in found
            if "MetricName" in resource["Properties"]
        }

    assert alarms(scheduled)["Errors"]["Namespace"] == "AWS/Lambda"
    assert alarms(scheduled)["KeyAgeDays"]["Threshold"] == 33
    assert not {"Errors", "KeyAgeDays"} & set(alarms(budgeted))


OWN = {
    "Simulation": {"LITELLM_MASTER_KEY": False, "STRANDLINE_GATEWAY_KEY": True},
    "Staging": {"LITELLM_MASTER_KEY": True},
}
"""The gateway's own keys, and whether tasks take the next one of each as well."""


@pytest.mark.parametrize("stage", OWN)
def test_the_gateways_own_keys_are_on_the_schedule_once_there_are_tasks(scheduled: Assembly, stage: str) -> None:
    path = f"{stage}/Gateway"
    (service,) = [name for _, name, _ in scheduled.resources("AWS::ECS::Service", path)]
    permissions = {name for _, name, _ in scheduled.resources("AWS::Lambda::Permission", path) if "OwnKeys" in name}
    schedules = [one for _, _, one in scheduled.resources("AWS::SecretsManager::RotationSchedule", path)]

    prefix = f"strandline/{stage.lower()}/"
    assert {one["Properties"]["SecretId"] for one in schedules} == {prefix + name for name in OWN[stage]}
    for one in schedules:
        assert one["Properties"]["RotationRules"] == {"AutomaticallyAfterDays": 30}
        assert one["Properties"]["RotateImmediatelyOnUpdate"] is False
        assert {service, *permissions} <= set(one["DependsOn"])
    (alarm,) = [one for _, name, one in scheduled.resources("AWS::CloudWatch::Alarm", path) if "OwnKeyRotation" in name]
    assert alarm["Properties"]["Namespace"] == "AWS/Lambda"


@pytest.mark.parametrize("stage", OWN)
def test_what_rotates_the_gateways_own_keys_reaches_those_and_the_one_service(scheduled: Assembly, stage: str) -> None:
    path = f"{stage}/Gateway"
    (role,) = [one for _, name, one in scheduled.resources("AWS::IAM::Role", path) if name.startswith("OwnKeys")]
    (service,) = [name for _, name, _ in scheduled.resources("AWS::ECS::Service", path)]
    policies = policies_of(role)
    owner = {"Simulation": "us-east-1:111111111111", "Staging": "us-east-1:111111111111"}[stage]

    def may(action: str, variable: str) -> bool:
        arn = f"arn:aws:secretsmanager:{owner}:secret:strandline/{stage.lower()}/{variable}-AbC123"
        return allows(policies, Request(f"secretsmanager:{action}", arn))

    following = {f"{name}_NEXT" for name, is_followed in OWN[stage].items() if is_followed}
    every = {"LITELLM_MASTER_KEY", "STRANDLINE_GATEWAY_KEY", "LITELLM_SALT_KEY", "OPENAI_API_KEY", "GATEWAY_KEY_TIDE"}
    every |= {"LITELLM_MASTER_KEY_NEXT", "STRANDLINE_GATEWAY_KEY_NEXT"}
    for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"):
        assert {name for name in every if may(action, name)} == {*OWN[stage], *following}
    assert not any(may(action, name) for name in every for action in ("DeleteSecret", "PutResourcePolicy"))
    actions = {
        action: as_list(statement["Resource"])
        for document in policies
        for statement in as_list(document["Statement"])
        for action in as_list(statement["Action"])
    }
    assert {action for action in actions if action.startswith("ecs:")} == {"ecs:DescribeServices", "ecs:UpdateService"}
    assert actions["ecs:UpdateService"] == [f"<{service}>"]
    assert {action.partition(":")[0] for action in actions} <= {"secretsmanager", "logs", "ecs", "kms"}
