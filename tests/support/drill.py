"""What a drill of a rotation is made of: steady load on real handlers, and what its answers say of the rotation.

    with handler_process(variables, folder / "log") as handler, Load([handler.url]) as load:
        load.calm(5)
        ...                                     # rotate
        row = load.row("provider", old_key_uses_after=0)

The requests come at a fixed rate, whether or not earlier ones have ended, every other one as a stream.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
RATE = 20
CACHE_SECONDS = 6
"""How long the drill's handlers keep a value; in production it is five minutes."""

_SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
_PATIENCE_SECONDS = 120


@dataclass
class Handler:
    """One handler's process.

    Attributes:
        url: Its address.
        log: What it wrote.
    """

    url: str
    log: Path

    def versions(self) -> dict[str, str]:
        """The version of each secret that it uses, as `/ping?details=1` tells."""
        return httpx.get(f"{self.url}/ping", params={"details": "1"}, timeout=30).json()["details"]["secrets"]


@contextmanager
def handler_process(variables: dict[str, str], log: Path):
    """Runs a handler as AgentCore does, with a runtime's variables and a cache that is short enough for a drill."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        **variables,
        "STRANDLINE_HOST": "127.0.0.1",
        "STRANDLINE_PORT": str(port),
        "STRANDLINE_SECRETS_TTL": str(CACHE_SECONDS),
    }
    with log.open("wb") as output:
        command = [sys.executable, "-m", "agent_runtime.main"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    handler = Handler(f"http://127.0.0.1:{port}", log)
    try:
        _wait_until_healthy(handler, process)
        yield handler
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_healthy(handler, process):
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, handler.log.read_text()
        try:
            if httpx.get(f"{handler.url}/ping").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(handler.log.read_text())


@dataclass(frozen=True)
class Answered:
    """One request that has ended.

    Attributes:
        begun: When it was sent, by a clock that only grows.
        seconds: How long it took, to the last byte.
        fault: What was wrong with the answer; empty where nothing was.
    """

    begun: float
    seconds: float
    fault: str


@dataclass
class Load:
    """A steady load; a context manager.

    Attributes:
        urls: Handlers, asked by turns.
        rate: Requests a second.
        answers: What has come back.
        calm_since: Since when it goes steadily, by a clock that only grows.
        calm_until: Until when nothing disturbed it.
    """

    urls: list[str]
    rate: float = RATE
    answers: list[Answered] = field(default_factory=list)
    calm_since: float = 0.0
    calm_until: float = 0.0

    def __enter__(self):
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Sends no more, and waits for what is on its way."""
        self._stopping.set()
        self._thread.join()

    def calm(self, seconds, warm_seconds=0.0):
        """Lets it run undisturbed; what is sent in these seconds is what the rotation is compared with.

        Args:
            seconds: How long.
            warm_seconds: How long before that, in which connections are opened.
        """
        time.sleep(warm_seconds)
        self.calm_since = time.monotonic()
        time.sleep(seconds)
        self.calm_until = time.monotonic()

    @property
    def faults(self):
        """What was wrong, each once."""
        return sorted({answer.fault for answer in self.answers if answer.fault})

    def row(self, kind, *, seconds_until_everywhere, old_key_uses_after):
        """The drill's figures, once it has been stopped."""
        calm = [answer.seconds for answer in self.answers if self.calm_since <= answer.begun < self.calm_until]
        rotating = [answer.seconds for answer in self.answers if answer.begun >= self.calm_until]
        return {
            "kind": kind,
            "requests": len(self.answers),
            "failed": sum(bool(answer.fault) for answer in self.answers),
            "p99_ratio": round(_p99(rotating) / _p99(calm), 2),
            "p99_calm_ms": round(_p99(calm) * 1000),
            "p99_rotating_ms": round(_p99(rotating) * 1000),
            "seconds_until_everywhere": round(seconds_until_everywhere, 1),
            "old_key_uses_after": old_key_uses_after,
        }

    async def _send(self):
        limits = httpx.Limits(max_connections=1000, max_keepalive_connections=200)
        async with httpx.AsyncClient(timeout=_PATIENCE_SECONDS, limits=limits, trust_env=False) as client:
            sent, begun, tasks = 0, time.monotonic(), set()
            while not self._stopping.is_set():
                task = asyncio.create_task(self._ask(client, sent))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                sent += 1
                await asyncio.sleep(max(0.0, begun + sent / self.rate - time.monotonic()))
            await asyncio.gather(*tasks)

    async def _ask(self, client, number):
        is_stream = number % 2 == 0
        # Each has a session of its own: requests of one session wait for each other.
        headers = {
            "Accept": "text/event-stream" if is_stream else "application/json",
            _SESSION_HEADER: f"drill-{number:034}",
        }
        begun = time.monotonic()
        try:
            url = self.urls[number % len(self.urls)]
            answer = await client.post(f"{url}/invocations", json={"prompt": f"Question {number}"}, headers=headers)
            fault = _fault(answer, is_stream)
        except httpx.HTTPError as error:
            fault = repr(error)
        self.answers.append(Answered(begun, time.monotonic() - begun, fault))


def _fault(answer, is_stream):
    if answer.status_code != 200:
        return f"{answer.status_code}: {answer.text[:300]}"
    lines = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
    last = json.loads(lines[-1] if is_stream else answer.text)
    return "" if last.get("stop_reason") == "end_turn" else f"ends with {json.dumps(last)[:300]}"


def _p99(seconds):
    return sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]


def until_everywhere(handlers, versions, patience=_PATIENCE_SECONDS):
    """Waits until all handlers use these versions; gives the seconds that it took.

    Args:
        handlers: The handlers.
        versions: Version by variable.
        patience: Longest wait.
    """
    begun = time.monotonic()
    while any(versions.items() - handler.versions().items() for handler in handlers):
        assert time.monotonic() - begun < patience, "a handler does not come to the new version"
        time.sleep(0.05)
    return time.monotonic() - begun
