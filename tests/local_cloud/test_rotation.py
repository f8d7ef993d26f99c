"""Rotations on a cloud, against a provider that takes some keys and quotes those that it refuses."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.project import load_project
from strandline.cli import app
from strandline.rotation.kinds import open_rotation
from strandline.rotation.verifiers import KeyRefused, Probe, verify
from strandline.targets import Target, find_environment
from tests.stacks.projects import blueprint, write_project
from tests.support.openai_server import OpenAIServer, Reply

ENVIRONMENTS = {"local": {"account": "000000000000", "region": "us-east-1"}}
PREFIX = "strandline/local/"
OLD, NEW, WRONG = "canary-old-1f6a", "canary-new-8c2e", "canary-wrong-77b0"


@pytest.fixture
def provider():
    with OpenAIServer() as server:
        server.accept_only(OLD, NEW)
        yield server


@pytest.fixture
def project(tmp_path, provider, cloud, monkeypatch):
    """Two agents that read the provider's key themselves, one of them with headers."""
    own = {"model_base_url": provider.base_url, "model_api_key_env": "TIDE_KEY"}
    headers = {"X-Id": "HEADER_ID", "X-Secret": "HEADER_SECRET"}
    agents = [blueprint("tide", **own), blueprint("moon", **own, model_extra_headers_env=headers)]
    root = write_project(tmp_path, agents, ENVIRONMENTS, gateway=None)
    environment = find_environment("local", root / "environments.yaml")
    target = Target(environment, cloud.environment())
    monkeypatch.setattr("strandline.commands.rotate.open_target", lambda *_: target)
    monkeypatch.chdir(tmp_path)
    return target, root


@pytest.fixture
def secrets(aws):
    client = aws.secretsmanager
    for name, value in (("TIDE_KEY", OLD), ("HEADER_ID", "id-1"), ("HEADER_SECRET", "secret-1")):
        client.create_secret(Name=PREFIX + name, SecretString=value)
    yield lambda name: client.get_secret_value(SecretId=PREFIX + name)["SecretString"]
    for name in ("TIDE_KEY", "HEADER_ID", "HEADER_SECRET"):
        client.delete_secret(SecretId=PREFIX + name, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def rotation(project):
    """Makes rotations, each as a process of its own would."""
    target, root = project

    def make(*variables, steps=None):
        record = (lambda step, versions: steps.append((step, dict(versions)))) if steps is not None else lambda *_: None
        return open_rotation(target, load_project(root / "blueprints"), variables, record)

    return make


def run(*arguments, given=None):
    return CliRunner().invoke(app, ["rotate", *arguments, "--env", "local", "--yes"], input=given)


def test_a_rotation_goes_from_step_to_step_in_as_many_processes(rotation, secrets, provider):
    steps = []
    assert rotation("TIDE_KEY").look().step == "stage"

    rotation("TIDE_KEY", steps=steps).stage(lambda _: f" {NEW}\n")
    assert secrets("TIDE_KEY") == OLD
    assert rotation("TIDE_KEY").look().step == "verify"

    rotation("TIDE_KEY", steps=steps).verify()
    # The list of models is not there; one token is asked for, once for two agents at one address.
    assert provider.count_by_key() == {NEW: 2}
    assert {request.body["max_tokens"] for request in provider.requests} == {1}
    assert secrets("TIDE_KEY") == OLD

    rotation("TIDE_KEY", steps=steps).promote()
    assert secrets("TIDE_KEY") == NEW
    assert rotation("TIDE_KEY").look().step == "spread"

    rotation("TIDE_KEY", steps=steps).finish()
    assert rotation("TIDE_KEY").look().step == "stage"
    assert [step for step, _ in steps] == ["staged", "verified", "promoted", "finished"]
    assert "canary" not in str(steps)


def test_a_wrong_key_changes_nothing_and_is_told_by_the_secret_and_the_providers_words(rotation, secrets):
    begun = rotation("TIDE_KEY")
    begun.stage(lambda _: WRONG)

    with pytest.raises(KeyRefused) as refused:
        begun.verify()

    assert "strandline/local/TIDE_KEY does not open openai: openai says 401" in str(refused.value)
    assert "Nothing was changed" in str(refused.value)
    assert "canary" not in str(refused.value)
    assert secrets("TIDE_KEY") == OLD
    assert rotation("TIDE_KEY").look().step == "stage"


def test_a_provider_that_fails_leaves_the_value_staged(rotation, secrets, provider):
    provider.script("demo", Reply(status=503))
    begun = rotation("TIDE_KEY")
    begun.stage(lambda _: NEW)

    with pytest.raises(EnvironmentFault, match="cannot be told: openai says 503"):
        begun.verify()

    assert secrets("TIDE_KEY") == OLD
    assert rotation("TIDE_KEY").look().step == "verify"


def test_headers_that_work_together_rotate_together(rotation, secrets, provider):
    begun = rotation("HEADER_ID", "HEADER_SECRET")
    begun.stage({"HEADER_ID": "id-2", "HEADER_SECRET": "secret-2"}.__getitem__)
    begun.verify()

    (asked,) = provider.requests
    assert (asked.header("x-id"), asked.header("x-secret")) == ("id-2", "secret-2")
    assert asked.header("authorization") == f"Bearer {OLD}"
    begun.promote()
    begun.finish()
    assert (secrets("HEADER_ID"), secrets("HEADER_SECRET")) == ("id-2", "secret-2")


def test_a_crash_between_two_promotions_is_gone_on_with(rotation, secrets):
    begun = rotation("HEADER_ID", "HEADER_SECRET")
    begun.stage({"HEADER_ID": "id-2", "HEADER_SECRET": "secret-2"}.__getitem__)
    pending = begun.look().labels["HEADER_ID"].pending
    begun._versions["HEADER_ID"].promote(pending)

    later = rotation("HEADER_ID", "HEADER_SECRET")
    assert later.look().step == "verify"
    later.verify()
    later.promote()
    assert later.look().step == "spread"
    assert (secrets("HEADER_ID"), secrets("HEADER_SECRET")) == ("id-2", "secret-2")


def test_a_variable_that_nobody_names_is_refused(rotation):
    with pytest.raises(InputError, match="Nobody in local names SPARE"):
        rotation("SPARE")


def test_the_command_rotates_writes_it_down_and_goes_back(project, secrets, tmp_path):
    told = run("TIDE_KEY", "--value-from", "-", "--no-wait", given=NEW)

    assert told.exit_code == 0, told.output + str(told.exception)
    assert secrets("TIDE_KEY") == NEW
    record = (tmp_path / ".strandline" / "audit" / "local.jsonl").read_text()
    lines = [json.loads(line) for line in record.splitlines()]
    assert [line["step"] for line in lines] == ["staged", "verified", "promoted", "finished"]
    assert all(line["who"].startswith("arn:aws:") and line["versions"]["TIDE_KEY"] for line in lines)
    assert "canary" not in record + told.output

    assert run("TIDE_KEY", "--rollback", "--no-wait").exit_code == 0
    assert secrets("TIDE_KEY") == OLD


def test_the_command_tells_its_plan_and_changes_nothing(project, secrets, provider):
    told = run("TIDE_KEY", "--dry-run")

    assert told.exit_code == 0
    assert "next step: stage; new tasks of the gateway: no" in told.output
    assert f"tide ({provider.base_url}/models)" in told.output
    assert provider.requests == []


def test_the_command_takes_no_value_from_the_command_line(project, secrets):
    told = run("TIDE_KEY", "--value-from", NEW)

    assert "standard input, and nothing else" in str(told.exception)
    assert NEW not in str(told.exception)
    assert secrets("TIDE_KEY") == OLD


def test_the_same_value_is_no_rotation(project, secrets):
    assert "is the present one" in str(run("TIDE_KEY", "--value-from", "-", given=OLD).exception)


def test_a_redirect_is_not_followed_with_a_key(provider):
    with OpenAIServer() as elsewhere:
        provider.script("m", Reply(status=307, headers={"Location": f"{elsewhere.base_url}/chat/completions"}))
        completion = f"{provider.base_url}/chat/completions"
        probe = Probe("openai", f"{provider.base_url}/models", completion_url=completion, model="m")

        with pytest.raises(KeyRefused, match="says 307"):
            verify(probe, "a/secret", NEW)

        assert elsewhere.requests == elsewhere.strays == []
