"""The handler as a process: it serves, or ends with one line that says why."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from agent_runtime.bundle import build_bundle
from agent_runtime.loader import load_blueprint
from tests.runtime.aws_server import AwsServer
from tests.runtime.conftest import KEY
from tests.support.openai_server import OpenAIServer, Reply

BLUEPRINT = """\
id: tide
name: Tide
version: 1.2.3
prompt_ref: tide
model:
  provider: litellm
  base_url: {base_url}
  api_key_env: MODEL_KEY
  model_id: my-org/tide-model
  temperature: 0.25
  max_tokens: 321
"""
START_SECONDS = 60


@pytest.fixture
def aws():
    with AwsServer() as server:
        server.secrets["strandline/test/MODEL_KEY"] = KEY
        yield server


@pytest.fixture
def bundle(tmp_path):
    """Makes bundles of blueprints."""

    def make(base_url):
        (tmp_path / "agents").mkdir(exist_ok=True)
        (tmp_path / "prompts").mkdir(exist_ok=True)
        (tmp_path / "agents" / "tide.yaml").write_text(BLUEPRINT.format(base_url=base_url))
        (tmp_path / "prompts" / "tide.md").write_text("You know the tides.")
        return build_bundle(load_blueprint(tmp_path / "agents" / "tide.yaml"))

    return make


def _variables(aws, bundle, **changes):
    variables = {
        "STRANDLINE_ENVIRONMENT": "test",
        "STRANDLINE_EXECUTION_MODE": "simulation",
        "STRANDLINE_BUNDLE": f"s3://bundles/agents/{bundle.sha256}.json",
        "STRANDLINE_SECRETS": "strandline/test/",
        "STRANDLINE_HOST": "127.0.0.1",
        "STRANDLINE_PORT": str(_free_port()),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "canary-aws-secret-key",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": "/nonexistent",
        "PATH": os.environ["PATH"],
        # What an operator may set to see more; it must not show keys.
        "OPENAI_LOG": "debug",
    }
    return {name: value for name, value in (variables | changes).items() if value is not None}


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _run_to_its_end(variables, *program):
    return subprocess.run(
        [sys.executable, *(program or ("-m", "agent_runtime.main"))],
        env=variables,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


@contextmanager
def _running(variables, log):
    with log.open("w") as output:
        command = [sys.executable, "-m", "agent_runtime.main"]
        process = subprocess.Popen(command, env=variables, stderr=output, stdout=output)
    url = f"http://127.0.0.1:{variables['STRANDLINE_PORT']}"
    try:
        for _ in range(START_SECONDS * 20):
            assert process.poll() is None, log.read_text()
            try:
                assert httpx.get(f"{url}/ping").json()["status"] == "Healthy"
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.wait()


def test_process_serves_the_agent_of_its_bundle_and_logs_no_secret(aws, bundle, tmp_path):
    with OpenAIServer() as endpoint:
        content = bundle(endpoint.base_url)
        aws.objects[f"/bundles/agents/{content.sha256}.json"] = content.content
        with _running(_variables(aws, content), tmp_path / "log") as (process, url):
            read_at_start = list(aws.calls)
            answer = httpx.post(f"{url}/invocations", json={"prompt": "Hello"}, timeout=60).json()
            endpoint.accept_only("sk-other")
            refused = httpx.post(f"{url}/invocations", json={"prompt": "Hello"}, timeout=60)
            environment = Path(f"/proc/{process.pid}/environ").read_text()
            process.send_signal(signal.SIGTERM)
            process.wait(START_SECONDS)

    log = (tmp_path / "log").read_text()
    assert answer["bundle"] == content.sha256
    assert [request.key for request in endpoint.requests] == [KEY, KEY]
    assert refused.status_code == 502
    assert read_at_start == [f"/bundles/agents/{content.sha256}.json"]
    assert process.returncode == 0
    assert KEY not in log + environment + refused.text
    assert "canary-aws-secret-key" not in log
    assert "Traceback" not in log


def test_sigterm_lets_what_is_in_flight_come_to_its_end_takes_nothing_new_and_ends_with_0(aws, bundle, tmp_path):
    release = threading.Event()
    with OpenAIServer(Reply(text="High water at six.", stop_after=2, until=release)) as endpoint:
        content = bundle(endpoint.base_url)
        aws.objects[f"/bundles/agents/{content.sha256}.json"] = content.content
        with _running(_variables(aws, content), tmp_path / "log") as (process, url), ThreadPoolExecutor(2) as pool:
            asked = [
                pool.submit(httpx.post, f"{url}/invocations", json={"prompt": "Hello", "stream": stream}, timeout=60)
                for stream in (False, True)
            ]
            endpoint.wait_for_requests(2)
            process.send_signal(signal.SIGTERM)
            _until_refused(url)
            still_running = process.poll() is None
            release.set()
            answers = [answer.result() for answer in asked]
            ended = process.wait(START_SECONDS)

    assert still_running
    assert answers[0].json()["result"]["content"] == [{"text": "High water at six."}]
    assert '"type":"done"' in answers[1].text
    assert ended == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def _until_refused(url):
    for _ in range(START_SECONDS * 20):
        try:
            httpx.get(f"{url}/ping", timeout=60)
        except httpx.ConnectError:
            return
        except httpx.ReadError:
            # It stood in the line of a socket that has just been closed.
            continue
        time.sleep(0.05)
    pytest.fail("The process still takes connections.")


CASES = {
    "missing-variable": (
        {"STRANDLINE_BUNDLE": None, "STRANDLINE_SECRETS": ""},
        None,
        "STRANDLINE_BUNDLE, STRANDLINE_SECRETS",
    ),
    "bad-port": ({"STRANDLINE_PORT": "http"}, None, "STRANDLINE_PORT"),
    "bad-time-of-secrets": ({"STRANDLINE_SECRETS_TTL": "5m"}, None, "STRANDLINE_SECRETS_TTL"),
    "bad-bundle-name": ({"STRANDLINE_BUNDLE": "https://bundles/tide.json"}, None, "STRANDLINE_BUNDLE"),
    "missing-bundle": ({}, (404, "NoSuchKey"), "NoSuchKey"),
    "missing-bucket": ({}, (404, "NoSuchBucket"), "NoSuchBucket"),
    "s3-denied": ({}, (403, "AccessDenied"), "AccessDenied"),
    "no-credentials": ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, None, "NoCredentialsError"),
    "no-region-nor-s3": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, None, "EndpointConnectionError"),
}


@pytest.mark.parametrize("case", CASES)
def test_agent_that_cannot_be_built_ends_the_process_with_one_line(aws, bundle, case):
    changes, aws.refusal, words = CASES[case]
    content = bundle("https://models.example.com/v1")
    aws.objects[f"/bundles/agents/{content.sha256}.json"] = content.content

    _assert_one_line(_run_to_its_end(_variables(aws, content, **changes)), words)


@pytest.mark.parametrize("change", [lambda content: content + b" ", lambda content: b"", lambda content: content[:-1]])
def test_tampered_bundle_is_refused(aws, bundle, change):
    content = bundle("https://models.example.com/v1")
    aws.objects[f"/bundles/agents/{content.sha256}.json"] = change(content.content)

    _assert_one_line(_run_to_its_end(_variables(aws, content)), content.sha256)


def test_agent_of_the_gateway_without_its_address_is_refused(aws, bundle):
    content = bundle("gateway")
    aws.objects[f"/bundles/agents/{content.sha256}.json"] = content.content

    _assert_one_line(_run_to_its_end(_variables(aws, content)), "STRANDLINE_GATEWAY_URL")


def _assert_one_line(ended, words):
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert ended.stdout == ""
    told = json.loads(line)
    assert (told["level"], told["logger"]) == ("ERROR", "agent_runtime.server")
    assert told["message"].startswith("exit=<2>, fault=<EnvironmentFault> | the agent cannot start: ")
    assert words in told["message"]
    assert "canary" not in line
