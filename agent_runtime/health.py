"""AgentCore's health check: what `/ping` answers.

`time_of_last_update` says since when the status is what it is. AgentCore ends an idle session by it, and an instance
without it in the midst of its work (github.com/aws/bedrock-agentcore-sdk-python/issues/471, .../pull/542), so it has
to be right in a session that was restored from a snapshot too: what a clock said before the snapshot may be days old.
Until the first status changes nothing is remembered, and the time comes from the kernel at each ping: when this process
started. A restored machine's kernel counts its time from the restored clock, so that time moves with it.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALTHY = "Healthy"
BUSY = "HealthyBusy"

_PROC = Path("/proc")
_STARTED_AT_FIELD = 22  # of /proc/self/stat, from 1 ("proc_pid_stat", Linux manual pages)


class Health:
    """The state of this process; for any thread and any loop."""

    def __init__(self) -> None:
        self._working = 0
        self._changed_at: float | None = None
        self._lock = threading.Lock()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Counts an invocation as in flight for as long as the context is open."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def status(self) -> dict[str, Any]:
        """Gives the members of AgentCore's contract ("HTTP protocol contract", AgentCore developer guide)."""
        with self._lock:
            return {"status": BUSY if self._working else HEALTHY, "time_of_last_update": int(self._since())}

    def _since(self) -> float:
        if self._changed_at is None:
            if (started := _process_start()) is not None:
                return started
            # No kernel to ask, so no AgentCore either: a developer's machine.
            self._changed_at = time.time()
        return self._changed_at

    def _add(self, change: int) -> None:
        with self._lock:
            was_working = bool(self._working)
            self._working += change
            if bool(self._working) != was_working:
                self._changed_at = time.time()


def _process_start() -> float | None:
    """Seconds since 1970 at which this process started, as the kernel says now; nothing where it does not say."""
    try:
        boot = next(line for line in (_PROC / "stat").read_text().splitlines() if line.startswith("btime "))
        # The second field, a name in parentheses, may hold spaces.
        fields = (_PROC / "self/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[_STARTED_AT_FIELD - 3])
        return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, StopIteration, ValueError, IndexError):
        return None
