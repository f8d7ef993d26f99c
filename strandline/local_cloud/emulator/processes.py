"""Child processes that cannot outlive the emulator.

Each child leads a process group of its own. A watchdog process holds the other end of a pipe and is told of each group;
when the pipe closes, however the emulator ended, it ends the groups that are left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_POLL_SECONDS = 0.05
_TAIL_LINES = 60

_WATCHDOG = """
import os, signal, sys, time
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for number in (signal.SIGTERM, signal.SIGKILL):
    for group in groups:
        try:
            os.killpg(group, number)
        except OSError:
            pass
    time.sleep(1 if number == signal.SIGTERM else 0)
"""


class Supervisor:
    """Starts children and sees to it that they end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start the watchdog.

        Args:
            environment: What every process of this cloud carries, so that it can be found.
        """
        self._environment = dict(environment)
        self._children: set[Child] = set()
        self._lock = threading.Lock()
        self.closing = False
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCHDOG],
            stdin=subprocess.PIPE,
            text=True,
            env=self._environment,
            start_new_session=True,
        )

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        on_line: Callable[[str], None] | None = None,
    ) -> Child:
        """Start a child with exactly this environment and the cloud's marker.

        Raises:
            RuntimeError: The emulator is ending.
            OSError: The program cannot be started.
        """
        if self.closing:
            raise RuntimeError("the local cloud is going down")
        log.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**environment, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        child = Child(process, log, on_line, self._forget)
        with self._lock:
            self._children.add(child)
            self._tell("+", process.pid)
        child.read()
        return child

    def close(self, grace_seconds: float) -> None:
        """End every child."""
        self.closing = True
        with self._lock:
            children = list(self._children)
        for child in children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        for child in children:
            child.wait(max(0.0, deadline - time.monotonic()))
            child.signal(signal.SIGKILL)
        self._watchdog.terminate()

    def _forget(self, child: Child) -> None:
        with self._lock:
            self._children.discard(child)
            # What a child started and left behind goes with it, as it would with its container.
            child.signal(signal.SIGKILL, group_only=True)
            self._tell("-", child.pid)

    def _tell(self, sign: str, group: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            assert self._watchdog.stdin is not None  # noqa: S101 - a pipe was asked for
            self._watchdog.stdin.write(f"{sign}{group}\n")
            self._watchdog.stdin.flush()


class Child:
    """A process, its output, and its end."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        log: Path,
        on_line: Callable[[str], None] | None,
        on_end: Callable[[Child], None],
    ) -> None:
        self._process = process
        self._on_line = on_line
        self._on_end = on_end
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._ended = threading.Event()
        self.log = log
        self.pid = process.pid
        self.started = time.time()

    def read(self) -> None:
        """Begin to read the output, and to wait for the end."""
        threading.Thread(target=self._pump, daemon=True, name=f"output-{self.pid}").start()
        threading.Thread(target=self._reap, daemon=True, name=f"reaper-{self.pid}").start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + the number of the signal that ended it, as a container reports."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def tail(self, lines: int) -> list[str]:
        """The last lines of the output."""
        return list(self._tail)[-lines:]

    def wait(self, seconds: float) -> bool:
        """Wait for the end; false if it is still there."""
        return self._ended.wait(seconds)

    def signal(self, number: signal.Signals, *, group_only: bool = False) -> None:
        """Signal the process and what it started."""
        if self.running or group_only:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        self.signal(signal.SIGTERM)
        if not self.wait(grace_seconds):
            self.signal(signal.SIGKILL)
            self.wait(grace_seconds)

    def follow(self) -> Iterator[str]:
        """The lines of the log until the process ends and all is read."""
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            while True:
                ended = self._ended.is_set()
                while line := lines.readline():
                    yield line
                if ended:
                    return
                time.sleep(_POLL_SECONDS)

    def _pump(self) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - a pipe was asked for
        with self.log.open("ab", buffering=0) as log:
            for raw in stream:
                log.write(raw if raw.endswith(b"\n") else raw + b"\n")
                line = raw.decode("utf-8", errors="replace").rstrip("\n")
                self._tail.append(line)
                if self._on_line is not None:
                    with contextlib.suppress(Exception):
                        self._on_line(line)

    def _reap(self) -> None:
        self._process.wait()
        self._on_end(self)
        self._ended.set()
