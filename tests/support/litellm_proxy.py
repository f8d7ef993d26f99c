"""The real LiteLLM proxy, of the version that the gateway runs and served as there, as a process on a loopback port."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

from gateway import server
from strandline.toolchain import ensure_virtual_environment

REPOSITORY = Path(__file__).parents[2]
MASTER_KEY = "sk-canary-master-key"
_LOCK = REPOSITORY / "gateway" / "requirements.lock"
# The same folder as the local cloud's, so that the proxy is installed once.
HOME = Path(os.environ.get("STRANDLINE_HOME") or REPOSITORY / ".strandline")
START_SECONDS = 120


def proxy_python() -> Path:
    """The Python that has LiteLLM; its environment is built at first use, which takes a minute."""
    return ensure_virtual_environment("gateway", _LOCK, HOME) / "bin" / "python"


@contextmanager
def litellm_proxy(config: Path, **variables: str):
    """Runs the proxy on a `config.yaml`; gives its address and its log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(config.parent),
        "LITELLM_MASTER_KEY": MASTER_KEY,
        **server.variables(),
        # Where the hooks of a compiled configuration are.
        "PYTHONPATH": str(REPOSITORY),
        **variables,
    }
    log = config.parent / "log"
    command = [str(proxy_python()), "-m", "gateway.proxy.serve", "--config", str(config), "--host", "127.0.0.1"]
    command += server.arguments(port)
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, cwd=config.parent, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_alive(url, process, log)
        yield url, log
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_alive(url, process, log):
    for _ in range(START_SECONDS * 10):
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/health/liveliness").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())
