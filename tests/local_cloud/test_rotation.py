"""Rotations on a cloud, against a provider that takes some keys and quotes those that it refuses."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from io import StringIO
from itertools import takewhile
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.project import load_project
from strandline.cli import app
from strandline.rotation.consumers import LoggedUse
from strandline.rotation.gateway_tasks import NewTasksFail
from strandline.rotation.kinds import open_rotation
from strandline.rotation.steps import Runner
from strandline.rotation.verifiers import KeyRefused, Probe, page_of, probe_of_provider, verify
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

    back = run("TIDE_KEY", "--rollback", "--no-wait")
    assert back.exit_code == 0
    assert "rolled back: the values before are AWSCURRENT again" in back.output
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


def test_what_is_old_enough_rotates_and_headers_of_one_question_together(project, secrets, tmp_path):
    given = f"TIDE_KEY={NEW}\nHEADER_ID=id-3\nHEADER_SECRET=secret-3\n"

    told = run("--older-than", "0s", "--value-from", "-", "--no-wait", given=given)

    assert told.exit_code == 0, told.output + str(told.exception)
    assert [secrets(name) for name in ("TIDE_KEY", "HEADER_ID", "HEADER_SECRET")] == [NEW, "id-3", "secret-3"]
    lines = [json.loads(line) for line in (tmp_path / ".strandline" / "audit" / "local.jsonl").read_text().splitlines()]
    assert [set(line["versions"]) for line in lines if line["step"] == "staged"] == [
        {"HEADER_ID", "HEADER_SECRET"},
        {"TIDE_KEY"},
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Name variables, or say --all, or --older-than 90d"),
        (("TIDE_KEY", "--all"), "Name variables, or say --all"),
        (("--older-than", "90d"), "No secret of local is older than 90d"),
        (("--older-than", "90"), "--older-than is '90': write a duration such as 30s, 15m, 12h or 90d"),
        (("TIDE_KEY", "--grace", "soon"), "--grace is 'soon'"),
        (("LITELLM_SALT_KEY",), "can be read with this salt only: it never rotates"),
    ],
)
def test_what_cannot_be_meant_is_told(project, secrets, provider, arguments, said):
    told = run(*arguments)

    assert said in str(told.exception)
    assert provider.requests == []


def test_the_old_key_is_left_to_its_owner_with_the_place_where_it_is_deleted(project, secrets, provider):
    told = run("TIDE_KEY", "--value-from", "-", "--no-wait", given=NEW)

    assert f"Delete the old key at its provider: 127.0.0.1:{provider.base_url.split(':')[2][:-3]}" in told.output


@pytest.mark.parametrize(
    ("provider_of", "page"),
    [
        (probe_of_provider("openai"), "https://platform.openai.com/api-keys"),
        (probe_of_provider("openai", base_url="https://llm.example/v1"), "llm.example"),
        (probe_of_provider("anthropic"), "https://console.anthropic.com/settings/keys"),
    ],
)
def test_a_provider_has_a_page_on_which_its_keys_are_deleted(provider_of, page):
    assert page_of(provider_of) == page


def test_new_tasks_that_do_not_serve_bring_the_old_value_back_and_another_fault_does_not(
    project, secrets, monkeypatch, rotation
):
    """The gateway's own part is in tests/e2e; here it is only told how its deployment ended."""
    target, root = project
    begun = rotation("TIDE_KEY")
    monkeypatch.setattr(type(begun), "reaches_gateway", True)
    runner = Runner(target, load_project(root / "blueprints"), Console(file=StringIO()), wait=False)

    def fail(fault):
        def roll(*_):
            raise fault

        monkeypatch.setattr("strandline.rotation.steps.roll_gateway", roll)

    fail(EnvironmentFault("AWS does not answer"))
    with pytest.raises(EnvironmentFault, match="AWS does not answer"):
        runner.run(begun, lambda _: NEW)
    assert secrets("TIDE_KEY") == NEW

    fail(NewTasksFail("they do not serve"))
    with pytest.raises(NewTasksFail):
        runner.run(begun, lambda _: NEW)
    assert secrets("TIDE_KEY") == OLD


def test_a_leaked_value_is_replaced_and_the_sessions_that_hold_it_end(project, secrets, monkeypatch, aws):
    """The sessions are AgentCore's; here it is asked for them, and told which to end."""
    version = aws.secretsmanager.describe_secret(SecretId=f"{PREFIX}TIDE_KEY")["VersionIdsToStages"]
    (leaked,) = version
    now = dt.datetime.now(dt.UTC)
    use = LoggedUse("moon", "arn:moon", "session-1", now)
    old = LoggedUse("tide", "arn:tide", "session-0", now - dt.timedelta(days=3))
    asked, ended = [], []
    monkeypatch.setattr(
        "strandline.rotation.revocation.find_uses",
        lambda _t, _p, agents, asked_for, since: asked.append((agents, asked_for, since)) or [old, use],
    )
    monkeypatch.setattr("strandline.rotation.revocation.stop_sessions", lambda _, uses: ended.extend(uses) or len(uses))
    monkeypatch.setattr("strandline.commands.secrets.open_target", lambda *_: project[0])

    told = CliRunner().invoke(
        app, ["secrets", "revoke", "TIDE_KEY", "--env", "local", "--value-from", "-", "--yes"], input=NEW
    )

    assert told.exit_code == 0, told.output + str(told.exception)
    assert secrets("TIDE_KEY") == NEW
    assert [(agents, asked_for) for agents, asked_for, _ in asked] == [(("moon", "tide"), leaked)]
    # No session lives three days.
    assert ended == [use]
    assert "1 that held the old value are ended" in told.output
    assert f"{old.time:%Y-%m-%d}" in told.output
    assert "canary" not in told.output


HELD = """
import runpy, sys, threading

class Held:
    def __init__(self, stream, line):
        self._stream, self._line = stream, line

    def write(self, text):
        self._stream.write(text)
        self._stream.flush()
        if text.startswith(self._line):
            threading.Event().wait()

    def __getattr__(self, name):
        return getattr(self._stream, name)

line, sys.argv = sys.argv[1], sys.argv[2:]
sys.stderr = Held(sys.stderr, line)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a command whose terminal stands still after a line, as one does on Ctrl-S."""


class Command:
    """`strandline rotate` as a process of its own."""

    def __init__(self, folder, cloud, value, held=None):
        home, port = str(cloud.paths.home), cloud.url.rpartition(":")[2]
        command = [str(Path(sys.executable).with_name("strandline")), "rotate", "TIDE_KEY", "--env", "local"]
        command += ["--value-from", "-", "--yes", "--no-wait"]
        self._held = held
        self._process = subprocess.Popen(
            [sys.executable, "-c", HELD, held, *command] if held else command,
            cwd=folder,
            env={**os.environ, "STRANDLINE_HOME": home, "STRANDLINE_LOCAL_PORT": port, "COLUMNS": "200"},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._process.stdin.write(value)
        self._process.stdin.close()

    def kill(self):
        """Ends it when it has told a step; SIGKILL leaves it no word to say."""
        with self._process:
            told = list(takewhile(lambda line: not line.startswith(self._held), self._process.stderr))
            self._process.kill()
        assert self._process.returncode == -signal.SIGKILL, told

    def finish(self):
        """Lets it run to its end; what it told."""
        with self._process:
            told = self._process.stderr.read()
        assert self._process.returncode == 0, told
        return told


@pytest.mark.parametrize(("step", "current"), [("staged:", OLD), ("verified:", OLD), ("promoted:", NEW)])
def test_the_command_that_is_killed_after_a_step_is_gone_on_with_by_the_same_command(
    project, secrets, cloud, aws, tmp_path, step, current
):
    Command(tmp_path, cloud, NEW, held=step).kill()

    assert secrets("TIDE_KEY") == current
    told = Command(tmp_path, cloud, NEW).finish()

    assert "going on with a rotation that was cut off before" in told
    assert secrets("TIDE_KEY") == NEW
    stages = aws.secretsmanager.describe_secret(SecretId=f"{PREFIX}TIDE_KEY")["VersionIdsToStages"].values()
    assert sorted(stages) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    audit = (cloud.paths.home / "audit" / "local.jsonl").read_text()
    assert "canary" not in told + audit
