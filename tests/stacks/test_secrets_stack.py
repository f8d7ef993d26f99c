"""One secret for each variable, no value in any template, nothing lost when a stack goes."""

from pathlib import Path

import pytest
from aws_cdk.assertions import Match

from agent_runtime.errors import InputError
from tests.stacks.conftest import ENVIRONMENTS, KEY_ARN, PRODUCTION_KEY_ARN
from tests.stacks.projects import Assembly, blueprint, synthesise, write_project

SECRET = "AWS::SecretsManager::Secret"
VARIABLES = {"HEADER_VALUE", "KEY", "KEY2", "KEY_2", "KEY_2_HEADER", "LITE_KEY", "OPENAI_API_KEY"}
MASTER_KEY, SALT_KEY, ENVIRONMENT_KEY = "LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "STRANDLINE_GATEWAY_KEY"
MINTED = {"GATEWAY_KEY_A", f"GATEWAY_KEY_{'X' * 32}"}
# In execution mode simulation the gateway calls no provider; in the environment simulation no agent does either.
UNUSED = {"Local": {"OPENAI_API_KEY"}, "Simulation": {"OPENAI_API_KEY", "LITE_KEY", "HEADER_VALUE"}}
GENERATED = {
    "Local": {MASTER_KEY, ENVIRONMENT_KEY, f"{ENVIRONMENT_KEY}_NEXT"},
    "Simulation": {MASTER_KEY, ENVIRONMENT_KEY, f"{ENVIRONMENT_KEY}_NEXT"},
    "Staging": {MASTER_KEY, f"{MASTER_KEY}_NEXT", SALT_KEY},
    "Production": {MASTER_KEY, f"{MASTER_KEY}_NEXT", SALT_KEY},
}


def names(assembly: Assembly, stage: str) -> list[str]:
    return [secret["Properties"]["Name"] for _, _, secret in assembly.resources(SECRET, f"{stage}/")]


@pytest.mark.parametrize("stage", GENERATED)
def test_each_distinct_variable_has_one_secret_in_the_environments_own_folder(assembly: Assembly, stage: str) -> None:
    prefix = f"strandline/{stage.lower()}/"
    named = VARIABLES - UNUSED.get(stage, set())
    minted = MINTED if stage in ("Staging", "Production") else set()

    assert sorted(names(assembly, stage)) == sorted(prefix + name for name in named | GENERATED[stage] | minted)


def test_no_template_gives_a_secret_a_value(assembly: Assembly) -> None:
    for path, _, secret in assembly.resources(SECRET):
        assert "SecretString" not in secret["Properties"], path


@pytest.mark.parametrize("stage", GENERATED)
def test_only_the_gateways_own_keys_are_generated_by_aws(assembly: Assembly, stage: str) -> None:
    generated = {
        secret["Properties"]["Name"].rpartition("/")[2]
        for _, _, secret in assembly.resources(SECRET, f"{stage}/")
        if "GenerateSecretString" in secret["Properties"]
    }

    assert generated == GENERATED[stage]


@pytest.mark.parametrize("stage", ["Staging", "Production"])
def test_the_salt_outlives_its_stack_and_is_never_rotated(assembly: Assembly, stage: str) -> None:
    salts = [
        secret
        for _, _, secret in assembly.resources(SECRET, f"{stage}/")
        if secret["Properties"]["Name"].endswith(f"/{SALT_KEY}")
    ]

    (salt,) = salts
    assert (salt["DeletionPolicy"], salt["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert not [*assembly.resources("AWS::SecretsManager::RotationSchedule", f"{stage}/")]


def test_the_generated_key_is_long_and_fits_in_a_header(assembly: Assembly) -> None:
    assembly.template("Simulation/Secrets").has_resource_properties(
        SECRET, {"GenerateSecretString": {"PasswordLength": 48, "ExcludePunctuation": True}}
    )


@pytest.mark.parametrize(
    ("stage", "policy"),
    [("Local", "Delete"), ("Simulation", "Delete"), ("Staging", "Retain"), ("Production", "Retain")],
)
def test_staging_and_production_keep_secrets_when_the_stack_goes(assembly: Assembly, stage: str, policy: str) -> None:
    assembly.template(f"{stage}/Secrets").all_resources(
        SECRET, {"DeletionPolicy": policy, "UpdateReplacePolicy": policy}
    )


@pytest.mark.parametrize(
    ("stage", "protected"), [("Local", False), ("Simulation", False), ("Staging", True), ("Production", True)]
)
def test_staging_and_production_refuse_to_destroy_what_cannot_be_made_again(
    assembly: Assembly, stage: str, *, protected: bool
) -> None:
    for stack in ("Secrets", "Network"):
        properties = assembly.stacks[f"{stage}/{stack}"]["properties"]
        assert properties.get("terminationProtection", False) is protected


@pytest.mark.parametrize(
    ("stage", "key"),
    [("Simulation", Match.absent()), ("Staging", KEY_ARN), ("Production", PRODUCTION_KEY_ARN)],
)
def test_a_key_of_the_users_own_encrypts_every_secret(assembly: Assembly, stage: str, key: object) -> None:
    assembly.template(f"{stage}/Secrets").all_resources_properties(SECRET, {"KmsKeyId": key})


def test_no_stack_exports_a_secret_so_that_a_variable_can_go(assembly: Assembly, stage_names: list[str]) -> None:
    for stage in stage_names:
        assert "Outputs" not in assembly.documents[f"{stage}/Secrets"]
    for document in assembly.documents.values():
        assert "ImportValue" not in str(document) or "-Secrets:" not in str(document)


def test_logical_ids_do_not_depend_on_which_other_variables_there_are(assembly: Assembly) -> None:
    ids = {
        secret["Properties"]["Name"].rpartition("/")[2]: name
        for _, name, secret in assembly.resources(SECRET, "Production/")
    }

    assert ids["KEY"] == "KEY"
    assert ids["KEY2"] == "KEY2"
    assert ids["KEY_2"] == "KEYx2"
    assert ids["KEY_2_HEADER"] == "KEYx2xHEADER"


def test_too_many_variables_for_one_stack_are_a_clear_message(tmp_path: Path) -> None:
    headers = [{f"X-{agent}-{number}": f"KEY_{agent}_{number}" for number in range(20)} for agent in range(25)]
    agents = [blueprint(f"a{number}", model_extra_headers_env=each) for number, each in enumerate(headers)]
    root = write_project(tmp_path, agents, {"simulation": ENVIRONMENTS["simulation"]})

    with pytest.raises(InputError, match=r"simulation names 500 variables .* room for 480"):
        synthesise(root, tmp_path / "out")


def test_secrets_that_servers_of_tools_are_given_are_the_agents(tmp_path: Path) -> None:
    process = {"command": ["python", "-m", "harbour"], "environment_env": {"TOKEN": "PROCESS_TOKEN"}}
    elsewhere = {"url": "https://tools.example.com/mcp", "headers_env": {"X-Api-Key": "TOOLS_KEY"}}
    agent = blueprint("keeper", tools=[{"mcp": process}, {"mcp": elsewhere}])
    root = write_project(tmp_path, [agent], {"simulation": ENVIRONMENTS["simulation"]})
    (root / "blueprints" / "tools").mkdir()
    (root / "blueprints" / "tools" / "harbour.py").write_text("")

    assembly = synthesise(root, tmp_path / "out")

    prefix = "strandline/simulation/"
    assert {f"{prefix}PROCESS_TOKEN", f"{prefix}TOOLS_KEY"} <= set(names(assembly, "Simulation"))
    role = str(assembly.documents["Simulation/Agent-keeper"])
    assert f"{prefix}PROCESS_TOKEN-" in role
    assert f"{prefix}TOOLS_KEY-" in role
