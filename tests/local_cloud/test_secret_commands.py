"""`strandline secrets` on a cloud: what there is, what is missing, what comes in; and no value comes out."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from agent_runtime.errors import InputError
from strandline.commands import secrets
from strandline.targets import Target, find_environment
from tests.stacks.projects import blueprint, write_project

ENVIRONMENTS = {"local": {"account": "000000000000", "region": "us-east-1"}}
PREFIX = "strandline/local/"
CANARY = "canary-4f9d1c7a"
NAMED = ("HEADER_ID", "TIDE_KEY")


@pytest.fixture
def run(tmp_path, cloud, aws, monkeypatch):
    """Runs a command for a project of two agents and a gateway; its secrets are removed afterwards."""
    own = {"model_base_url": "https://llm.example/v1", "model_api_key_env": "TIDE_KEY"}
    agents = [
        blueprint("tide", **own, model_extra_headers_env={"X-Id": "HEADER_ID"}),
        blueprint("moon", **own),
    ]
    root = write_project(tmp_path, agents, ENVIRONMENTS)
    environment = find_environment("local", root / "environments.yaml")
    monkeypatch.setattr("strandline.commands.secrets.open_target", lambda *_: Target(environment, cloud.environment()))
    monkeypatch.setenv("COLUMNS", "200")
    files = ["--env", "local", "--blueprints", str(root / "blueprints")]

    def invoke(*arguments, given=None):
        more = files if arguments[0] != "set" else ["--env", "local"]
        return CliRunner().invoke(secrets.app, [*arguments, *more], input=given)

    yield invoke
    for name in aws.secretsmanager.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
        if name["Name"].startswith(PREFIX):
            aws.secretsmanager.delete_secret(SecretId=name["Name"], ForceDeleteWithoutRecovery=True)


@pytest.fixture
def empty(aws):
    """The secrets as the stack makes them: there, and without a value."""
    resources = {
        name.replace("_", "x"): {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": PREFIX + name}}
        for name in NAMED
    }
    aws.deploy("secret-commands", {"Resources": resources})
    yield
    aws.remove("secret-commands")


def listed(run):
    told = run("list", "--json")
    assert told.exit_code == 0, told.output
    return {one["variable"]: one for one in json.loads(told.stdout)["secrets"]}


def test_every_variable_is_listed_with_its_users_and_state(run, empty, aws):
    version = aws.secretsmanager.put_secret_value(SecretId=f"{PREFIX}TIDE_KEY", SecretString=CANARY)["VersionId"]
    aws.secretsmanager.create_secret(Name=f"{PREFIX}LEFT_OVER", SecretString=CANARY)

    found = listed(run)

    assert list(found) == ["HEADER_ID", "LEFT_OVER", "TIDE_KEY"]
    assert found["TIDE_KEY"]["users"] == ["moon", "tide"]
    assert (found["TIDE_KEY"]["state"], found["TIDE_KEY"]["version"]) == ("set", version)
    assert found["TIDE_KEY"]["age_days"] == 0
    assert (found["HEADER_ID"]["users"], found["HEADER_ID"]["state"]) == (["tide"], "empty")
    # The local environment is one of simulation, in which the gateway calls no provider.
    assert found["LEFT_OVER"]["users"] == []


def test_the_table_has_no_value(run, empty, aws):
    aws.secretsmanager.put_secret_value(SecretId=f"{PREFIX}TIDE_KEY", SecretString=CANARY)

    told = run("list")

    assert told.exit_code == 0
    assert "moon, tide" in told.output
    assert "set" in told.output
    assert CANARY not in told.output


def test_check_tells_what_is_missing_and_how_to_mend_it(run, aws):
    missing = run("check")

    assert missing.exit_code == 1
    assert "has no secret strandline/local/TIDE_KEY yet: strandline deploy --env local" in missing.output

    for name in NAMED:
        aws.secretsmanager.create_secret(Name=PREFIX + name, SecretString="a-key")
    assert run("check").exit_code == 0

    aws.secretsmanager.delete_secret(SecretId=f"{PREFIX}TIDE_KEY", RecoveryWindowInDays=7)
    assert "is marked for deletion" in run("check").output


def test_check_names_the_command_for_an_empty_secret(run, empty):
    told = run("check", "--json")

    assert told.exit_code == 1
    assert json.loads(told.stdout)["faults"]["TIDE_KEY"].endswith("strandline secrets set TIDE_KEY --env local")


def test_values_come_from_a_file_and_what_is_set_is_kept(run, empty, aws, tmp_path):
    aws.secretsmanager.put_secret_value(SecretId=f"{PREFIX}HEADER_ID", SecretString="there-already")
    file = tmp_path / ".env"
    file.write_text(f'TIDE_KEY="{CANARY}$HOME"\nHEADER_ID=another\nUNRELATED=x\n')

    told = run("import", "--from-dotenv", str(file))

    assert told.exit_code == 0, told.output
    value = aws.secretsmanager.get_secret_value
    assert value(SecretId=f"{PREFIX}TIDE_KEY")["SecretString"] == f"{CANARY}$HOME"
    assert value(SecretId=f"{PREFIX}HEADER_ID")["SecretString"] == "there-already"
    assert "kept, because they have a value (--replace): HEADER_ID" in told.output
    assert CANARY not in told.output
    assert "UNRELATED" not in str(listed(run))

    run("import", "--from-dotenv", str(file), "--replace")
    assert value(SecretId=f"{PREFIX}HEADER_ID")["SecretString"] == "another"


def test_one_bad_value_in_a_file_writes_none(run, empty, aws, tmp_path):
    file = tmp_path / ".env"
    file.write_text("HEADER_ID=good\nTIDE_KEY=changeme\n")

    told = run("import", "--from-dotenv", str(file))

    assert isinstance(told.exception, InputError)
    assert "TIDE_KEY is a placeholder" in str(told.exception)
    assert listed(run)["HEADER_ID"]["state"] == "empty"


def test_values_come_from_the_environment(run, empty, aws, monkeypatch):
    monkeypatch.setenv("TIDE_KEY", CANARY)

    told = run("import", "--from-env")

    assert "set: TIDE_KEY in local" in told.output
    assert "still without a value: HEADER_ID" in told.output
    assert listed(run)["TIDE_KEY"]["state"] == "set"


@pytest.mark.parametrize("arguments", [(), ("--from-env", "--from-dotenv", "x")])
def test_import_wants_one_source(run, arguments):
    assert "Name one source" in str(run("import", *arguments).exception)


def test_set_reads_standard_input_and_refuses_another_providers_key(run, aws):
    aws.secretsmanager.create_secret(Name=f"{PREFIX}OPENAI_API_KEY")

    refused = run("set", "OPENAI_API_KEY", given=f"sk-ant-{CANARY}\n")
    assert "begins as keys of Anthropic do" in str(refused.exception)
    assert CANARY not in refused.output + str(refused.exception)

    assert run("set", "OPENAI_API_KEY", given=f"sk-proj-{CANARY}\n").exit_code == 0
    assert (
        aws.secretsmanager.get_secret_value(SecretId=f"{PREFIX}OPENAI_API_KEY")["SecretString"] == f"sk-proj-{CANARY}"
    )
