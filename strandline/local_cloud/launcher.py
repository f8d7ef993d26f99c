"""Start the emulator as a process of its own and wait until it answers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault
from strandline.local_cloud.paths import EMULATOR_LOCK, EMULATOR_SOURCE, GATEWAY_LOCK, MARKER, CloudPaths
from strandline.toolchain import ensure_virtual_environment, is_built, virtual_environment_path

if TYPE_CHECKING:
    from collections.abc import Callable

_START_SECONDS = 60.0
_POLL_SECONDS = 0.05
_TAIL_LINES = 8
# Emulators that this process started: it is their parent, and has to take note of their end.
_started: dict[int, subprocess.Popen[bytes]] = {}


def launch(paths: CloudPaths, settings: dict[str, Any], progress: Callable[[str], None]) -> str:
    """Start the emulator and return its URL.

    Raises:
        EnvironmentFault: The port is in use, the environment cannot be built, or the emulator ended at start.
    """
    port = int(settings["port"])
    ensure_port_is_free(port)
    environments = _environments(paths, settings, progress)
    progress("Starting the emulator")
    settings = settings | {"gateway_environment": str(environments["gateway"])}
    try:
        paths.settings.write_text(json.dumps(settings, indent=2))
        process = _spawn(paths, environments["emulator"])
        _started[process.pid] = process
        paths.running.write_text(json.dumps({"pid": process.pid, "port": port}))
    except OSError as fault:
        raise EnvironmentFault(f"{paths.cloud}: cannot be written: {fault.strerror or fault}") from fault
    url = f"http://127.0.0.1:{port}"
    _await_answer(process, url, paths)
    return url


def reap() -> None:
    """Take note of the end of emulators that this process started, so that none is left as a zombie."""
    for pid in [pid for pid, process in _started.items() if process.poll() is not None]:
        del _started[pid]


def ensure_port_is_free(port: int) -> None:
    """Raise an error that names who holds the port.

    Raises:
        EnvironmentFault: Something listens on the port.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as fault:
            holder = _holder(port)
            raise EnvironmentFault(
                f"port {port} is in use{holder}: end that, or choose another with --port or STRANDLINE_LOCAL_PORT"
            ) from fault


def _holder(port: int) -> str:
    """Who listens on a port, as far as this machine tells."""
    inode = _listening_inode(port)
    if inode is None:
        return ""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if any(str(link.readlink()) == f"socket:[{inode}]" for link in (folder / "fd").iterdir()):
                return f" by {(folder / 'comm').read_text().strip()} (process {folder.name})"
    return ""


def _listening_inode(port: int) -> str | None:
    listening = "0A"
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == listening and int(fields[1].rsplit(":", 1)[1], 16) == port:
                return fields[9]
    return None


def _environments(paths: CloudPaths, settings: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Path]:
    """The virtual environments, the gateway's only if an image stands for it."""
    wanted = {"emulator": EMULATOR_LOCK}
    if any(image["gateway"] for image in settings["images"]):
        wanted["gateway"] = GATEWAY_LOCK
    found = {"gateway": Path(), "emulator": Path()}
    for name, lock in wanted.items():
        if not is_built(virtual_environment_path(name, lock, paths.home)):
            progress(f"Installing the {name}'s packages (once)")
        found[name] = ensure_virtual_environment(name, lock, paths.home)
    return found


def _spawn(paths: CloudPaths, environment: Path) -> subprocess.Popen[bytes]:
    """The emulator in a session of its own: a Ctrl-C in the operator's terminal is not meant for it."""
    with paths.emulator_log.open("ab") as log:
        return subprocess.Popen(
            [str(environment / "bin" / "python"), "-m", "emulator", str(paths.settings)],
            cwd=paths.cloud,
            env=_environment(paths),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment(paths: CloudPaths) -> dict[str, str]:
    """Nothing of the operator's environment but the path to programs: no credential, no proxy."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(paths.scratch),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(EMULATOR_SOURCE),
        "PYTHONUNBUFFERED": "1",
        MARKER: paths.cloud_id,
        **({"DOCKER_HOST": os.environ["DOCKER_HOST"]} if "DOCKER_HOST" in os.environ else {}),
    }


def _await_answer(process: subprocess.Popen[bytes], url: str, paths: CloudPaths) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise EnvironmentFault(f"the emulator ended at start: {_tail(paths.emulator_log)}")
        with contextlib.suppress(OSError), opener.open(f"{url}/_strandline/health", timeout=1.0):
            return
        time.sleep(_POLL_SECONDS)
    process.kill()
    raise EnvironmentFault(f"the emulator did not answer within {_START_SECONDS:.0f} s: {_tail(paths.emulator_log)}")


def _tail(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as lines:
        last = [line.strip() for line in deque(lines, _TAIL_LINES) if line.strip()]
    return " | ".join(last) or "it wrote nothing"
