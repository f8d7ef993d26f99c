"""What an operator's commands tell of the deployed gateway, and that none of them tells a key."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.e2e
MODEL = "house-model"


def told(project, *arguments, code=0):
    done = project.run(*arguments, "--env", "local", "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_models_are_those_of_gateway_yaml(project):
    found = told(project, "gateway", "models")["models"]

    assert MODEL in [model["name"] for model in found]


def test_health_tells_the_task_and_the_version(project):
    found = told(project, "gateway", "health")

    assert found["healthy"] is True
    assert found["tasks"] == {"running": 1, "desired": 1}
    assert found["database"] is None
    assert found["version"]


@pytest.mark.parametrize("command", ["keys", "spend"])
def test_a_gateway_without_a_database_says_that_it_has_no_such_thing(project, command):
    done = project.run("gateway", command, "--env", "local")

    assert done.returncode == 1
    assert "stateless" in done.stderr
    assert "profile: managed" in done.stderr


def test_models_are_compared_through_the_gateway_with_the_key_for_inference(project):
    (reply,) = told(project, "compare", MODEL, "--prompt", "Say something.")["replies"]

    assert reply["error"] is None
    assert reply["text"]
    assert reply["output_tokens"] > 0
    assert reply["first_text_ms"] <= reply["latency_ms"]


def test_a_model_that_nobody_serves_is_told_and_ends_with_2(project):
    (reply,) = told(project, "compare", "nobody", "--prompt", "Hi", code=2)["replies"]

    assert "strandline gateway models" in reply["error"]


def test_no_command_printed_a_key(project):
    client = project.client("secretsmanager")
    keys = [
        client.get_secret_value(SecretId=f"strandline/local/{name}")["SecretString"]
        for name in ("LITELLM_MASTER_KEY", "STRANDLINE_GATEWAY_KEY")
    ]

    assert not [key for key in [*keys, *project.canaries.values()] if any(key in text for text in project.printed)]


def test_the_deployed_configuration_is_the_one_that_the_files_compile_to(project):
    compiled = told(project, "gateway", "config")
    deployed = told(project, "gateway", "config", "--deployed")

    assert deployed["config"] == compiled["config"]
    assert MODEL in [model["model_name"] for model in deployed["config"]["model_list"]]
    assert told(project, "gateway", "config", "--diff") == {"differs": False, "diff": []}


def test_a_change_that_is_not_deployed_yet_is_shown_as_a_difference(project):
    file = project.folder / "blueprints" / "gateway.yaml"
    written = file.read_text()
    file.write_text(f"{written}retries: {{count: 4}}\n")
    try:
        changed = told(project, "gateway", "config", "--diff", code=1)
    finally:
        file.write_text(written)

    assert changed["differs"] is True
    assert "+  num_retries: 4" in changed["diff"]
