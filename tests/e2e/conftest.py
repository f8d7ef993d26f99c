"""One local cloud and one deployed project for all end-to-end tests, made the way a person makes them: by the CLI.

The project is written here, not taken from `blueprints/`. Its secrets' values are canaries: random, and searched for in
everything that the deployment leaves behind.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from strandline.local_cloud import LocalCloud
from tests.local_cloud.cloud_clients import free_port
from tests.support.openai_server import OpenAIServer
from tests.support.published_blueprints import CLOUDFLARE, PROXY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

ROOT = Path(__file__).resolve().parents[2]
# An operator's machine is not AWS's: what commands compute does not hold up the cloud and its sessions on this one.
STRANDLINE = ("nice", "-n", "5", str(ROOT / ".venv" / "bin" / "strandline"))
ACCOUNT = "000000000000"
REGION = "us-east-1"
VARIABLES = (
    *("DIRECT_API_KEY", "ACCESS_CLIENT_ID", "ACCESS_CLIENT_SECRET", "PROVIDER_API_KEY"),
    *("LITELLM_API_KEY", "CF_GATEWAY_API_KEY", "CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET"),
)
GENERATED = ("LITELLM_MASTER_KEY", "STRANDLINE_GATEWAY_KEY", "STRANDLINE_GATEWAY_KEY_NEXT")
AGENTS = ("cloudflare", "company-proxy", "direct", "peer", "routed", "tides")
STACKS = ("Checks", "Gateway", "Network", "Secrets", *(f"Agent-{name}" for name in AGENTS))


@dataclass
class Project:
    """A user's project on a cloud of its own, and all that its commands printed."""

    folder: Path
    home: Path
    cloud: LocalCloud
    provider: OpenAIServer
    canaries: dict[str, str]
    printed: list[str] = field(default_factory=list)
    _clients: dict[str, BaseClient] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs `strandline` as a person does."""
        done = subprocess.run(
            [*STRANDLINE, *arguments],
            cwd=self.folder,
            env=self.variables(),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        self.printed += [done.stdout, done.stderr]
        return done

    def deploy(self) -> subprocess.CompletedProcess[str]:
        return self.run("deploy", "--env", "local")

    def change_environment(self, **settings: Any) -> None:
        """Gives the environment settings, beside those that it has or in their place."""
        file = self.folder / "environments.yaml"
        document = yaml.safe_load(file.read_text())
        document["environments"]["local"] |= settings
        file.write_text(yaml.safe_dump(document))

    def variables(self) -> dict[str, str]:
        port = self.cloud.url.rsplit(":", 1)[1]
        return {**os.environ, "STRANDLINE_HOME": str(self.home), "STRANDLINE_LOCAL_PORT": port, "COLUMNS": "200"}

    def client(self, service: str):
        """A client of a service, made once: making one takes longer than most of its calls."""
        import boto3

        if service not in self._clients:
            known = self.cloud.environment(ACCOUNT)
            self._clients[service] = boto3.client(
                service,
                endpoint_url=known["AWS_ENDPOINT_URL"],
                aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
                region_name=REGION,
            )
        return self._clients[service]

    def runtime_arn(self, agent: str) -> str:
        stacks = self.client("cloudformation").describe_stacks(StackName=f"Local-Agent-{agent}")["Stacks"]
        return next(output["OutputValue"] for output in stacks[0]["Outputs"] if output["OutputKey"] == "RuntimeArn")

    def invoke(self, agent: str, prompt: str, *, session: str | None = None, stream: bool = True):
        """Asks an agent with plain boto3 and gives the parsed answer: a list of events, or one object."""
        answer = self.client("bedrock-agentcore").invoke_agent_runtime(
            agentRuntimeArn=self.runtime_arn(agent),
            qualifier="live",
            runtimeSessionId=session or f"test-{secrets.token_hex(20)}",
            contentType="application/json",
            accept="text/event-stream" if stream else "application/json",
            payload=json.dumps({"prompt": prompt}).encode(),
        )
        body = answer["response"].read().decode()
        if not stream:
            return json.loads(body)
        return [json.loads(line[len("data:") :]) for line in body.splitlines() if line.startswith("data:")]


@pytest.fixture(scope="session")
def provider():
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="session")
def project(provider, tmp_path_factory):
    """The deployed project."""
    with deployed_project(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home"), provider) as made:
        yield made


@contextmanager
def deployed_project(folder: Path, home: Path, provider: OpenAIServer) -> Iterator[Project]:
    """Deploys the project on a cloud of its own; the drill does it too."""
    canaries = {name: f"canary-{name.lower().replace('_', '-')}-{secrets.token_hex(12)}" for name in VARIABLES}
    with cloud_of_its_own(folder, home, provider, canaries) as made:
        _write(folder, provider)
        deploy_first(made)
        yield made


@contextmanager
def cloud_of_its_own(
    folder: Path, home: Path, provider: OpenAIServer, canaries: dict[str, str] | None = None
) -> Iterator[Project]:
    """Starts a cloud for a project in an empty folder, on which nothing is deployed yet."""
    _share_builds(home)
    cloud = LocalCloud(home)
    cloud.up(free_port())
    try:
        yield Project(folder, home, cloud, provider, canaries or {})
    finally:
        cloud.down()


def _share_builds(home: Path) -> None:
    """Virtual environments and artefacts are the project's own: built once, not once for each test home."""
    for name in ("venvs", "artefacts"):
        (ROOT / ".strandline" / name).mkdir(parents=True, exist_ok=True)
        (home / name).symlink_to(ROOT / ".strandline" / name)


def deploy_first(made: Project) -> None:
    """The first deployment stops at the secrets, which then are set, as a person would find out."""
    stopped = made.deploy()
    assert stopped.returncode == 1, stopped.stderr
    assert "Deploying the secrets" in stopped.stderr
    assert "secrets have no value yet" in stopped.stderr
    for name in made.canaries:
        assert f"strandline secrets set {name} --env local" in stopped.stderr
    values = made.home / "values.env"
    values.write_text("".join(f"{name}={value}\n" for name, value in made.canaries.items()))
    done = made.run("secrets", "import", "--from-dotenv", str(values), "--env", "local")
    values.unlink()
    assert done.returncode == 0, done.stderr
    deployed = made.deploy()
    assert deployed.returncode == 0, deployed.stderr


def _write(folder: Path, provider: OpenAIServer) -> None:
    for name in ("agents", "prompts"):
        (folder / "blueprints" / name).mkdir(parents=True)
    write = {
        # In simulation no provider would be called.
        "environments.yaml": (
            f'environments: {{local: {{account: "{ACCOUNT}", region: {REGION}, execution_mode: staging, '
            "rotation: 30d}}\n"
        ),
        "blueprints/prompts/plain.md": "You answer in one sentence.\n",
        "blueprints/gateway.yaml": _GATEWAY.format(url=provider.base_url),
        "blueprints/agents/direct.yaml": _DIRECT.format(url=provider.base_url),
        "blueprints/agents/routed.yaml": _BEHIND_THE_GATEWAY.format(id="routed", here="true"),
        "blueprints/agents/later.yaml": _BEHIND_THE_GATEWAY.format(id="later", here="false"),
        "blueprints/agents/tides.yaml": _SPEAKING.format(id="tides", protocol="MCP", url=provider.base_url),
        "blueprints/agents/peer.yaml": _SPEAKING.format(id="peer", protocol="A2A", url=provider.base_url),
        "blueprints/prompts/published-v1.md": "---\nstatus: stable\n---\nYou analyse.\n",
        "blueprints/agents/company-proxy.yaml": _published("company-proxy", PROXY, provider),
        "blueprints/agents/cloudflare.yaml": _published("cloudflare", CLOUDFLARE, provider).replace(
            "model_id: claude-sonnet-4-6", "model_id: ${ACTIVE_MODEL:-claude-sonnet-4-6}"
        )
        + "environments:\n  local: {model: {temperature: 0.9}}\nexecution_modes: {staging: true}\n",
    }
    for path, text in write.items():
        (folder / path).write_text(text)


def _published(name: str, text: str, provider: OpenAIServer) -> str:
    """A blueprint of the published format's LiteLLM page, unchanged but for the address."""
    head = f"id: {name}\nversion: 1.0.0\nname: Published\nprompt_ref: published-v1\n"
    return head + re.sub(r"base_url: \S+", f"base_url: {provider.base_url}", text)


_HERE = "execution_modes: {{staging: true}}\n"
_ENDPOINT = """\
model:
  provider: litellm
  base_url: {url}
  model_id: my-org/claude-fable
  temperature: 0.3
  max_tokens: 321
  api_key_env: DIRECT_API_KEY
"""
_DIRECT = f"""\
id: direct
name: Direct
version: 1.2.3
prompt_ref: plain
{_HERE}{_ENDPOINT}  extra_headers_env:
    CF-Access-Client-Id: ACCESS_CLIENT_ID
    CF-Access-Client-Secret: ACCESS_CLIENT_SECRET
"""
_SPEAKING = f"""\
id: {{id}}
name: Speaks {{protocol}}
version: 1.0.0
description: Knows the tides.
prompt_ref: plain
runtime: {{{{protocol: {{protocol}}}}}}
{_HERE}{_ENDPOINT}"""
_BEHIND_THE_GATEWAY = """\
id: {id}
name: Behind the gateway
version: 1.0.0
prompt_ref: plain
model: {{provider: litellm, base_url: gateway, model_id: house-model, temperature: 0.7, max_tokens: 99}}
execution_modes: {{staging: {here}, production: true}}
"""

_GATEWAY = """\
models:
  house-model:
    model: openai/gpt-4.1-mini
    api_base: {url}
    api_key_env: PROVIDER_API_KEY
  judge:
    model: openai/gpt-4.1
    api_base: {url}
    api_key_env: PROVIDER_API_KEY
"""
