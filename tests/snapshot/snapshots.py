"""A running handler to make copies of, and a look into the memory of processes."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from agent_runtime.bundle import build_bundle
from agent_runtime.loader import load_blueprint
from tests.runtime.handler import SESSION_HEADER

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "You know the tides, word for word."
START_SECONDS = 60
"""How long a start may take on a busy machine; no test waits for it to pass."""

AGENT = """\
id: tide
name: Tide
version: 1.2.3
prompt_ref: tide
"""


class Process:
    """A handler's process that listens on a port."""

    def __init__(self, pid, port):
        self.pid = pid
        self.port = port

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def state(self):
        """What it says that it holds."""
        return self._get("/state").json()

    def ping(self):
        return self._get("/ping").json()

    def invoke(self, payload, session, accept="application/json"):
        headers = {"Accept": accept, **({SESSION_HEADER: session} if session else {})}
        return httpx.post(f"{self.url}/invocations", json=payload, headers=headers, timeout=60)

    def ask(self, prompt, session):
        """The agent's answer."""
        response = self.invoke({"prompt": prompt}, session)
        assert response.status_code == 200, response.text
        return response.json()

    def connections(self):
        """Its connections to anywhere, as state and both ends; the listener is one."""
        return [(one.status, one.laddr, one.raddr) for one in psutil.Process(self.pid).net_connections(kind="inet")]

    def native_threads(self):
        """How many threads the kernel knows, those that Python does not know too."""
        return psutil.Process(self.pid).num_threads()

    def memory_holds(self, *words):
        """Those of the words that stand anywhere in its memory, in plain or in Base64."""
        forms = {word: [word.encode(), base64.b64encode(word.encode())[:-4]] for word in words}
        found = set()
        with Path(f"/proc/{self.pid}/mem").open("rb", buffering=0) as memory:
            for content in _regions(self.pid, memory):
                found |= {word for word in words if any(form in content for form in forms[word])}
        return found

    def _get(self, path):
        return httpx.get(f"{self.url}{path}", headers={"Connection": "close"}, timeout=60)


class Snapshot(Process):
    """The process at its first healthy ping.

    Attributes:
        log: File of what it writes.
    """

    def __init__(self, process, port, answers, log):
        super().__init__(process.pid, port)
        self.log = log
        self._orders = process.stdin
        self._answers = answers

    def state(self):
        """What it says that it holds; not over HTTP, which would open a connection."""
        return self._order(ask="state")

    def copy(self, *, wall=0, monotonic=0):
        """Makes a copy whose clocks are ahead by so many seconds."""
        return Process(**self._order(ask="copy", wall=wall, monotonic=monotonic))

    def _order(self, **order):
        self._orders.write(json.dumps(order).encode() + b"\n")
        self._orders.flush()
        assert select.select([self._answers], [], [], START_SECONDS)[0], self.log.read_text()
        return json.loads(self._answers.readline())


def bundle_of(folder, members):
    """The bundle of the agent with these members of its blueprint, which are YAML."""
    for name in ("agents", "prompts"):
        (folder / name).mkdir()
    (folder / "agents" / "tide.yaml").write_text(AGENT + members)
    (folder / "prompts" / "tide.md").write_text(PROMPT)
    return build_bundle(load_blueprint(folder / "agents" / "tide.yaml"))


@contextmanager
def snapshot_of(variables, log):
    """Starts a handler and pings it until it is healthy: that is when the platform takes its snapshot.

    Args:
        variables: The runtime's environment.
        log: File for what it writes.

    Yields:
        The process. Nothing has a connection to it.
    """
    reading, writing = os.pipe()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.snapshot.process", str(writing)],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[writing],
        )
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as answers, process.stdin:
            snapshot = Snapshot(process, int(variables["STRANDLINE_PORT"]), answers, log)
            _wait_for_the_first_healthy_ping(snapshot, process)
            yield snapshot
    finally:
        # The copies end with it.
        process.kill()
        process.wait()


def _wait_for_the_first_healthy_ping(snapshot, process):
    for _ in range(START_SECONDS * 20):
        assert process.poll() is None, snapshot.log.read_text()
        if any(status == "LISTEN" for status, *_ in snapshot.connections()):
            break
        time.sleep(0.05)
    assert snapshot.ping()["status"] == "Healthy"
    # The server drops the ping's connection when it hears that its caller has.
    while any(status == "ESTABLISHED" for status, *_ in snapshot.connections()):
        os.sched_yield()


def _regions(pid, memory):
    for region in psutil.Process(pid).memory_maps(grouped=False):
        if "r" not in region.perms or region.path.startswith("[v"):
            continue
        start, end = (int(address, 16) for address in region.addr.split("-"))
        memory.seek(start)
        yield memory.read(end - start)
