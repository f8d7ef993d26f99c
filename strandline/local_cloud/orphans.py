"""Processes of a local cloud, found by the marker in their environment.

A process id file can lie, and an emulator that was killed cannot tidy up. Every process of a local cloud carries the id
of its home, so that what it left behind can be found and ended without touching anything else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from strandline.local_cloud.paths import MARKER

_POLL_SECONDS = 0.05


def find(cloud_id: str) -> list[int]:
    """The processes that carry the marker of this cloud, apart from this one."""
    marker = f"{MARKER}={cloud_id}"
    proc = Path("/proc")
    found = _from_proc(proc, marker) if (proc / "self" / "environ").exists() else _from_ps(marker)
    return [pid for pid in found if pid != os.getpid()]


def end(cloud_id: str, grace_seconds: float = 2.0) -> int:
    """End every process of this cloud, gently and then not, and return how many there were."""
    orphans = find(cloud_id)
    _signal(orphans, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while (left := find(cloud_id)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    _signal(left, signal.SIGKILL)
    while find(cloud_id) and time.monotonic() < deadline + grace_seconds:
        time.sleep(_POLL_SECONDS)
    return len(orphans)


def _from_proc(proc: Path, marker: str) -> list[int]:
    wanted = marker.encode()
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        # Processes of other users, and those that end meanwhile, are none of ours.
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _from_ps(marker: str) -> list[int]:
    """The same on macOS, where `ps -E` shows the environment of one's own processes."""
    listing = subprocess.run(
        ["/bin/ps", "-E", "-ww", "-x", "-o", "pid=,command="], capture_output=True, text=True, check=False
    )
    lines = (line.strip().split(maxsplit=1) for line in listing.stdout.splitlines())
    return [int(line[0]) for line in lines if len(line) > 1 and marker in line[1].split()]


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
