"""The real proxy with a simulation's configuration, and handlers that ask it; nobody is let out of sight."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from agent_runtime.bundle import build_bundle
from agent_runtime.loader import load_blueprint, load_blueprints
from gateway.compile import compile_config
from gateway.scenarios import compile_scenarios, load_scenarios
from gateway.settings import GatewaySettings
from gateway.target import GatewayTarget
from tests.runtime.aws_server import AwsServer
from tests.runtime.handler import SESSION, SESSION_HEADER
from tests.support.litellm_proxy import MASTER_KEY, REPOSITORY, litellm_proxy

AUDIT = Path(__file__).parent / "audit"
PREFIX = "strandline/simulation/"
GATEWAY_KEY = "STRANDLINE_GATEWAY_KEY"
START_SECONDS = 60


def audited(log, *folders):
    """Variables by which a process of Python writes down where it connects to; it finds modules in the folders too."""
    return {"PYTHONPATH": os.pathsep.join(map(str, (AUDIT, REPOSITORY, *folders))), "SOCKET_AUDIT": str(log)}


def strangers(log):
    """The hosts in such a log that are not this machine."""
    return {host for host in log.read_text().split() if not _is_here(host)}


def _is_here(host):
    # Paths are sockets of the file system; None is the machine itself.
    if host in ("None", "localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def write_project(root, agents, scenarios):
    """Writes blueprints of these members, and scenarios."""
    for folder in ("agents", "prompts", "scenarios", "tools"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for agent, members in agents.items():
        document = {"id": agent, "name": agent, "version": "1.0.0", "prompt_ref": "tide"} | members
        (root / "agents" / f"{agent}.yaml").write_text(yaml.safe_dump(document))
    for agent, rules in scenarios.items():
        (root / "scenarios" / f"{agent}.yaml").write_text(yaml.safe_dump({"rules": rules}))
    (root / "prompts" / "tide.md").write_text("You know the tides.")
    return root


@contextmanager
def simulated_proxy(folder, blueprints, gateway, further_models):
    """Runs the proxy as the environment `simulation` has it; gives its address and the log of its sockets."""
    agents = load_blueprints(blueprints)
    scenarios = compile_scenarios(load_scenarios(blueprints, agents), agents)
    (folder / "scenarios").mkdir()
    for name, content in scenarios.items():
        (folder / "scenarios" / name).write_bytes(content)
    target = GatewayTarget(execution_mode="simulation", simulated_models=tuple(further_models))
    config = folder / "config.yaml"
    config.write_text(compile_config(GatewaySettings.model_validate(gateway), target))
    sockets = folder / "sockets"
    variables = {"STRANDLINE_SCENARIOS": str(folder / "scenarios"), GATEWAY_KEY: MASTER_KEY + "-2"}
    with litellm_proxy(config, **variables, **audited(sockets)) as (url, _):
        yield url, sockets


@contextmanager
def handler_process(folder, blueprints, agent, **variables):
    """Runs an agent's handler as AgentCore would; gives a client of it and the log of its sockets."""
    bundle = build_bundle(load_blueprint(blueprints / "agents" / f"{agent}.yaml"))
    sockets, log = folder / f"sockets-{agent}", folder / f"log-{agent}"
    with AwsServer() as aws, httpx.Client(timeout=60) as client, log.open("w") as output:
        aws.objects[f"/bundles/{bundle.sha256}.json"] = bundle.content
        aws.secrets[PREFIX + GATEWAY_KEY] = MASTER_KEY
        port = _free_port()
        environment = {
            "STRANDLINE_ENVIRONMENT": "simulation",
            "STRANDLINE_EXECUTION_MODE": "simulation",
            "STRANDLINE_BUNDLE": f"s3://bundles/{bundle.sha256}.json",
            "STRANDLINE_SECRETS": PREFIX,
            "STRANDLINE_HOST": "127.0.0.1",
            "STRANDLINE_PORT": str(port),
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
            "AWS_SECRET_ACCESS_KEY": "canary-aws-secret-key",
            "AWS_EC2_METADATA_DISABLED": "true",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "HOME": "/nonexistent",
            "PATH": os.environ["PATH"],
            **audited(sockets, blueprints / "tools"),
            **variables,
        }
        command = [sys.executable, "-m", "agent_runtime.main"]
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)
        try:
            client.base_url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(client, process, log)
            yield Caller(client), sockets
        finally:
            process.terminate()
            process.wait(30)


class Caller:
    """Invokes a handler."""

    def __init__(self, client):
        self._client = client

    def ask(self, prompt, session=SESSION):
        """The whole answer."""
        return self._client.post("/invocations", json={"prompt": prompt}, headers={SESSION_HEADER: session})


def _wait_until_healthy(client, process, log):
    for _ in range(START_SECONDS * 20):
        assert process.poll() is None, log.read_text()
        try:
            if client.get("/ping").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
