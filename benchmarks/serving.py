"""What the benchmarks of the handler share: a handler as a process, what it talks to, and a thin client."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from agent_runtime.bundle import build_bundle
from agent_runtime.loader import load_blueprint
from gateway.compile import compile_config
from gateway.settings import GatewaySettings
from gateway.target import GatewayTarget
from stacks.packaging import HOST, build_code_artefact
from strandline.toolchain import ensure_virtual_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent_runtime.bundle import Bundle
    from tests.runtime.aws_server import AwsServer

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".strandline"
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
MODEL = "bench"
PROXY_KEY = "sk-bench-0123456789"
KEY_VARIABLE = "BENCH_KEY"
_PATIENCE_SECONDS = 120
_FIRST_TEXT = re.compile(rb'"text"\s*:\s*"[^"]')


@dataclass(frozen=True)
class Server:
    """A server that is up.

    Attributes:
        process: Its process.
        port: Its port on loopback.
        begun: `time.perf_counter()` when the process was started.
        ready_seconds: From there to its first healthy answer.
    """

    process: subprocess.Popen[bytes]
    port: int
    begun: float
    ready_seconds: float

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def memory_mb(self, member: str = "VmHWM") -> float:
        """Memory from `/proc/<pid>/status`: `VmHWM` is the peak, `VmRSS` what it is now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"^{member}:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else 0.0

    def cpu_seconds(self) -> float:
        """Processor time so far, of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unpacked(features: Sequence[str], tree: Path) -> Path:
    """Unpacks an artefact for this machine, if that is not done yet.

    Args:
        features: Names of its lock files.
        tree: Where to.

    Returns:
        The same folder.
    """
    if not tree.exists():
        with zipfile.ZipFile(build_code_artefact(features, HOST, HOME).path) as archive:
            archive.extractall(tree)
    return tree


@contextmanager
def started(command: Sequence[str], port: int, path: str, log: Path, **options: Any) -> Iterator[Server]:
    """Starts a server and waits until it answers.

    Args:
        command: Its program.
        port: The port that it will listen on.
        path: What it answers with 200 once it is up.
        log: File for its output.
        options: What `subprocess.Popen` takes besides.

    Yields:
        The server; it is ended afterwards.
    """
    with log.open("wb") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)
        try:
            while not _answers(port, path):
                if process.poll() is not None or time.perf_counter() - begun > _PATIENCE_SECONDS:
                    sys.exit(f"{command[0]} does not come up:\n{log.read_text()[-3000:]}")
                time.sleep(0.002)
            yield Server(process, port, begun, time.perf_counter() - begun)
        finally:
            process.kill()
            process.wait()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def litellm_proxy(folder: Path) -> Iterator[Server]:
    """The real LiteLLM proxy, which answers `MODEL` itself."""
    settings = GatewaySettings.model_validate(
        {"models": {MODEL: {"model": "openai/gpt-4.1-mini", "mock_response": "The tide turns twice a day. " * 4}}}
    )
    config = folder / "config.yaml"
    config.write_text(compile_config(settings, GatewayTarget(execution_mode="production")))
    program = ensure_virtual_environment("gateway", ROOT / "gateway" / "requirements.lock", HOME) / "bin" / "litellm"
    port = free_port()
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LITELLM_MASTER_KEY": PROXY_KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        # Where the hooks of a compiled configuration are.
        "PYTHONPATH": str(ROOT),
    }
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with started(command, port, "/health/readiness", folder / "proxy.log", env=variables, cwd=folder) as server:
        yield server


@contextmanager
def fast_upstream(folder: Path) -> Iterator[Server]:
    """An OpenAI-compatible server that costs next to nothing, for figures of the handler alone."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.upstream", str(port)]
    with started(command, port, "/ping", folder / "upstream.log", cwd=ROOT) as server:
        yield server


def write_bundle(folder: Path, base_url: str, *, client: str) -> Bundle:
    """The bundle of an agent that asks `MODEL` at this address."""
    blueprint = {
        "id": "bench",
        "name": "Bench",
        "version": "1.0.0",
        "prompt_ref": "bench",
        "model": {
            **{"provider": "litellm", "base_url": base_url, "client": client, "model_id": MODEL},
            **{"api_key_env": KEY_VARIABLE, "temperature": 0.2, "max_tokens": 200},
        },
    }
    for name, text in {
        "agents/bench.yaml": yaml.safe_dump(blueprint),
        "prompts/bench.md": "You know the tides.",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return build_bundle(load_blueprint(folder / "agents" / "bench.yaml"))


def handler_variables(aws: AwsServer, bundle: Bundle, port: int) -> dict[str, str]:
    """What the deployment would tell the handler; puts bundle and key where it looks for them."""
    aws.objects[f"/bundles/{bundle.sha256}.json"] = bundle.content
    aws.secrets[f"strandline/bench/{KEY_VARIABLE}"] = PROXY_KEY
    return {
        "STRANDLINE_ENVIRONMENT": "bench",
        "STRANDLINE_EXECUTION_MODE": "simulation",
        "STRANDLINE_BUNDLE": f"s3://bundles/{bundle.sha256}.json",
        "STRANDLINE_SECRETS": "strandline/bench/",
        "STRANDLINE_HOST": "127.0.0.1",
        "STRANDLINE_PORT": str(port),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIABENCHBENCHBENCH0",
        "AWS_SECRET_ACCESS_KEY": "no-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
    }


def connect(port: int) -> http.client.HTTPConnection:
    """Makes a connection to a handler, opened by its first request and kept open."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)


def ask(connection: http.client.HTTPConnection, session: str, headers: Mapping[str, str] | None = None) -> float:
    """Asks a handler, reads the whole stream, and tells when the first text came.

    Args:
        connection: To the handler.
        session: AgentCore's session id.
        headers: Further request headers.

    Returns:
        `time.perf_counter()` at the first text.
    """
    body = json.dumps({"prompt": "When does the tide turn?"})
    fixed = {"Content-Type": "application/json", "Accept": "text/event-stream", SESSION_HEADER: session}
    connection.request("POST", "/invocations", body, {**fixed, **(headers or {})})
    response = connection.getresponse()
    first, told = None, b""
    while piece := response.read1(65536):
        told += piece
        if first is None and _FIRST_TEXT.search(told):
            first = time.perf_counter()
    if response.status != http.client.OK or first is None:
        sys.exit(f"The handler does not answer ({response.status}): {told[:500]!r}")
    return first
