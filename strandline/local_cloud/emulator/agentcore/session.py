"""The process of one session."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
import urllib.parse
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..roles import CredentialVendor, account_of
from .logsink import LogSink
from .protocols import protocol_of

if TYPE_CHECKING:
    from ..processes import Child, Supervisor
    from ..settings import Settings

_POLL_SECONDS = 0.03
_PING_SECONDS = 1.0
_SETTLE_SECONDS = 0.5
_TAIL_LINES = 12
_OK = 200


class StartFailure(Exception):
    """Raised when a session's process ends at start, or is not healthy in time."""


@dataclass(frozen=True)
class SessionKey:
    """What a session id is unique in."""

    runtime_arn: str
    endpoint: str
    session_id: str

    @property
    def runtime_id(self) -> str:
        """The runtime's id."""
        return self.runtime_arn.rsplit("/", 1)[-1]


class Session:
    """A running process that serves the requests of one session."""

    def __init__(
        self, key: SessionKey, properties: dict[str, Any], settings: Settings, vendor: CredentialVendor
    ) -> None:
        self.key = key
        self.properties = properties
        self.version = str(properties["agentRuntimeVersion"])
        self.port = 0
        self._settings = settings
        self._vendor = vendor
        self._grant: dict[str, str] = {}
        self._child: Child | None = None
        self._lock = threading.Lock()
        self._in_flight = 0
        self._ending = False
        self._last_activity = self._started = time.monotonic()

    def launch(self, supervisor: Supervisor, command: list[str], code: Path) -> None:
        """Start the process with the runtime's environment and nothing of the operator's."""
        self.port = _free_port()
        name = f"{self.key.runtime_id}/{self.key.endpoint}-{_file_name(self.key.session_id)}"
        region = self.key.runtime_arn.split(":")[3]
        home = self._settings.scratch / "sessions" / name
        home.mkdir(parents=True, exist_ok=True)
        self._grant = self._vendor.grant(self.properties["roleArn"], "BedrockAgentCore-" + self.key.runtime_id[:40])
        group = f"/aws/bedrock-agentcore/runtimes/{self.key.runtime_id}-{self.key.endpoint}"
        account = account_of(self.key.runtime_arn)
        sink = LogSink(self.properties["roleArn"], account, region, group, self.key.session_id)
        self._child = supervisor.start(
            command,
            environment=self._environment(command, region, home),
            folder=code,
            log=self._settings.logs / "sessions" / f"{name}.log",
            on_line=sink.write,
        )

    def _environment(self, command: list[str], region: str, home: Path) -> dict[str, str]:
        return {
            "PATH": f"{Path(command[0]).parent}{os.pathsep}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            # The unpacked code is shared by sessions, and its hash is its name.
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.properties.get("environmentVariables", {}),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self._settings.url,
            **self._grant,
            # All sessions share the machine: each serves on a port of its own, in place of 0.0.0.0 and the contract's.
            "STRANDLINE_HOST": "127.0.0.1",
            "STRANDLINE_PORT": str(self.port),
            **self._address(),
        }

    def _address(self) -> dict[str, str]:
        """What the service tells a server that has a card to write it on."""
        if not protocol_of(self.properties).has_card:
            return {}
        arn = urllib.parse.quote(self.key.runtime_arn, safe="")
        return {"AGENTCORE_RUNTIME_URL": f"{self._settings.url}/runtimes/{arn}/invocations"}

    def await_healthy(self, seconds: float) -> None:
        """Wait for the first healthy ping.

        Raises:
            StartFailure: It ended, or was not healthy in time; with its last lines.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running:
                code = self._child.exit_code if self._child else None
                raise StartFailure(f"The code ended at start with exit code {code}. Last lines: {self._tail()}")
            if self.ping():
                self._last_activity = self._started = time.monotonic()
                return
            time.sleep(_POLL_SECONDS)
        raise StartFailure(f"The code was not healthy within {seconds:.0f} s. Last lines: {self._tail()}")

    def ping(self) -> str:
        """The status that `/ping` gives; empty unless it is healthy.

        A protocol without `/ping` has no status: what answers at all is healthy.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PING_SECONDS)
        try:
            connection.request("GET", "/ping")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != _OK and not protocol_of(self.properties).pings:
                return "Healthy"
            status = json.loads(body).get("status", "") if answer.status == _OK else ""
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            return ""
        finally:
            connection.close()
        return status if status in {"Healthy", "HealthyBusy"} else ""

    def take(self) -> bool:
        """Begin a request; false if the process is gone or going."""
        with self._lock:
            if self._ending or not self.running:
                return False
            self._in_flight += 1
            return True

    def release(self) -> None:
        """End a request."""
        with self._lock:
            self._in_flight -= 1
            self._last_activity = time.monotonic()

    def settle(self) -> None:
        """Wait for the end of a process that broke a connection, if it ends: its sockets are gone before it is."""
        if self._child is not None:
            self._child.wait(_SETTLE_SECONDS)

    def is_busy(self) -> bool:
        """Whether it works in the background; if so, its idle time begins anew."""
        busy = self.running and self.ping() == "HealthyBusy"
        if busy:
            self._last_activity = time.monotonic()
        return busy

    def end(self, grace_seconds: float) -> None:
        """SIGTERM, SIGKILL after the grace, and no more credentials."""
        with self._lock:
            self._ending = True
        if self._child is not None:
            self._child.stop(grace_seconds)
        self._vendor.revoke(self._grant)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._child is not None and self._child.running

    @property
    def age(self) -> float:
        """Seconds since it was healthy."""
        return time.monotonic() - self._started

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last request ended; none while one is in flight."""
        with self._lock:
            return 0.0 if self._in_flight else time.monotonic() - self._last_activity

    def describe(self) -> dict[str, Any]:
        """What `status` shows."""
        return {
            "runtime": self.key.runtime_id,
            "account": account_of(self.key.runtime_arn),
            "endpoint": self.key.endpoint,
            "version": self.version,
            "session_id": self.key.session_id,
            "pid": self._child.pid if self._child else None,
            "port": self.port,
            "idle_seconds": round(self.idle_seconds, 1),
        }

    def _tail(self) -> str:
        if self._child is None:
            return ""
        self._child.wait(_POLL_SECONDS)
        time.sleep(_POLL_SECONDS)  # the output is read by a thread of its own
        return " | ".join(_said(line) for line in self._child.tail(_TAIL_LINES) if line.strip()) or "(none)"


def _said(line: str) -> str:
    """What a line says: of the handler's, which are JSON, the message."""
    try:
        return str(json.loads(line)["message"])
    except (ValueError, KeyError, TypeError):
        return line.strip()


def _free_port() -> int:
    """A port that nobody listens at, and that no session was given of late: it listens seconds after this look."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _GIVEN:
            _GIVEN.append(port)
            return port


_GIVEN: deque[int] = deque(maxlen=256)


def _file_name(session_id: str) -> str:
    """A session id may hold any character."""
    return "".join(character if character.isalnum() or character in "-_." else "_" for character in session_id)[:100]
