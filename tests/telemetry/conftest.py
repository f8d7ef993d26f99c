"""A handler as a process, with a model's endpoint, AWS and a receiver of traces beside it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import httpx
import pytest

from agent_runtime.bundle import build_bundle
from agent_runtime.loader import load_blueprint
from tests.runtime.aws_server import AwsServer
from tests.support.openai_server import OpenAIServer

KEY = "sk-canary-0123456789abcdef"
TRACE_KEY = "Basic canary-trace-key-0123456789"
SESSION = "session-0123456789-0123456789-0123456789"
MODEL_ID = "my-org/tide-model"
_START_SECONDS = 60
_BLUEPRINT = {
    "id": "tide",
    "name": "Tide",
    "version": "1.2.3",
    "prompt_ref": "tide",
    "model": {
        **{"provider": "litellm", "api_key_env": "MODEL_KEY", "model_id": MODEL_ID},
        **{"temperature": 0.25, "max_tokens": 321},
    },
}


class HandlerProcess:
    """The handler, started as AgentCore starts it."""

    def __init__(self, aws, folder, observability, variables):
        self._log, self._out = folder / "stderr", folder / "stdout"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        agents, prompts = folder / "agents", folder / "prompts"
        agents.mkdir()
        prompts.mkdir()
        plan = _BLUEPRINT | {"observability": observability}
        plan["model"] = plan["model"] | {"base_url": variables.pop("MODEL_URL")}
        # JSON is YAML.
        (agents / "tide.yaml").write_text(json.dumps(plan))
        (prompts / "tide.md").write_text("canary-system-prompt")
        bundle = build_bundle(load_blueprint(agents / "tide.yaml"))
        self.sha256 = bundle.sha256
        aws.objects[f"/bundles/{bundle.sha256}.json"] = bundle.content
        environment = {
            "STRANDLINE_ENVIRONMENT": "test",
            "STRANDLINE_EXECUTION_MODE": "simulation",
            "STRANDLINE_BUNDLE": f"s3://bundles/{bundle.sha256}.json",
            "STRANDLINE_SECRETS": "strandline/test/",
            "STRANDLINE_HOST": "127.0.0.1",
            "STRANDLINE_PORT": str(port),
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
            "AWS_SECRET_ACCESS_KEY": "canary-aws-secret-key",
            "AWS_EC2_METADATA_DISABLED": "true",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "HOME": "/nonexistent",
            "PATH": os.environ["PATH"],
            **variables,
        }
        with self._log.open("w") as log, self._out.open("w") as out:
            command = [sys.executable, "-m", "agent_runtime.main"]
            self.process = subprocess.Popen(command, env=environment, stderr=log, stdout=out)
        self.url = f"http://127.0.0.1:{port}"
        self._await()

    def _await(self):
        for _ in range(_START_SECONDS * 20):
            assert self.process.poll() is None, self._log.read_text()
            try:
                assert httpx.get(f"{self.url}/ping").json()["status"] == "Healthy"
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(self._log.read_text())

    def ask(self, prompt="canary-prompt", **headers):
        """Invokes the agent."""
        headers = {"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": SESSION} | headers
        return httpx.post(f"{self.url}/invocations", json={"prompt": prompt}, headers=headers, timeout=60)

    def stop(self):
        """Ends it as AgentCore does."""
        self.process.terminate()
        assert self.process.wait(30) == 0, self._log.read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def printed(self):
        """All that it wrote."""
        return self._log.read_text() + self._out.read_text()

    def log(self):
        """The lines of its log."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def metrics(self):
        """The lines of its metrics."""
        return [json.loads(line) for line in self._out.read_text().splitlines()]


@pytest.fixture(scope="module")
def aws():
    with AwsServer() as server:
        server.secrets["strandline/test/MODEL_KEY"] = KEY
        server.secrets["strandline/test/TRACE_KEY"] = TRACE_KEY
        yield server


@pytest.fixture(scope="module")
def endpoint():
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def start(aws, endpoint, tmp_path_factory):
    """Starts handlers with an `observability` block and variables."""
    running = []

    def begin(observability, **variables):
        folder = tmp_path_factory.mktemp("handler")
        handler = HandlerProcess(aws, folder, observability, {"MODEL_URL": endpoint.base_url} | variables)
        running.append(handler)
        return handler

    yield begin
    for handler in running:
        handler.kill()
