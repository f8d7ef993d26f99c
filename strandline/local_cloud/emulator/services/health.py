"""The health check of a container: its command, run in the task's environment."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..containers.container import ProcessContainer

_FAST_SECONDS = 0.5


class ContainerHealth:
    """The state of one container's check.

    Until it passes for the first time the command is run often, so that a deploy does not wait for an interval of 30 s;
    its failures count at the pace of the task definition all the same.
    """

    def __init__(self, container: ProcessContainer, check: dict[str, Any], scale: float) -> None:
        self._container = container
        self._command: list[str] = check["command"]
        self._interval = float(check.get("interval") or 30) * scale
        self._timeout = float(check.get("timeout") or 5)
        self._retries = int(check.get("retries") or 3)
        self._start_period = float(check.get("startPeriod") or 0) * scale
        self._failures = 0
        self._next_failure = time.monotonic() + self._start_period + self._interval
        self.status = "UNKNOWN"

    def start(self) -> None:
        """Begin to check, until the container ends."""
        threading.Thread(target=self._loop, daemon=True, name=f"health-{self._container.name}").start()

    def _loop(self) -> None:
        child = self._container.running_child
        while not child.wait(self._interval if self.status != "UNKNOWN" else min(self._interval, _FAST_SECONDS)):
            self._note(self._passes())

    def _note(self, passed: bool) -> None:
        if passed:
            self._failures, self.status = 0, "HEALTHY"
            return
        now = time.monotonic()
        if self.status == "UNKNOWN" and now < self._next_failure:
            return
        self._next_failure = now + self._interval
        self._failures += 1
        if self._failures >= self._retries:
            self.status = "UNHEALTHY"

    def _passes(self) -> bool:
        kind, *command = self._command
        if kind == "NONE":
            return True
        # The task's own loopback address stands for the localhost of its network namespace.
        local = [part.replace("localhost", self._container.address) for part in command]
        local = [part.replace("127.0.0.1", self._container.address) for part in local]
        try:
            finished = subprocess.run(
                ["/bin/sh", "-c", *local] if kind == "CMD-SHELL" else local,
                env=self._container.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self._timeout,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError):
            return False
        return finished.returncode == 0
