"""Writes `releases/`: each file at once and whole, and bundles before the lock that names them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from stacks.releases.lock import render_lock

if TYPE_CHECKING:
    from stacks.releases.lock import ReleaseLock
    from stacks.releases.store import Kind, ReleaseFolder


def save_lock(folder: ReleaseFolder, lock: ReleaseLock) -> Path:
    """Writes an environment's lock.

    Args:
        folder: The folder `releases`.
        lock: The lock.

    Returns:
        The file.

    Raises:
        EnvironmentFault: It cannot be written.
    """
    return _write(folder.lock_file(lock.environment), render_lock(lock).encode())


def save_bundle(folder: ReleaseFolder, content: bytes, kind: Kind, *, lasting: bool = True) -> str:
    """Writes a bundle, or the gateway's settings, under its hash, unless it is there.

    Args:
        folder: The folder `releases`.
        content: The bytes.
        kind: What it is.
        lasting: Whether it has to outlive a crash of the machine, for which the disk takes its time.

    Returns:
        The hash.

    Raises:
        EnvironmentFault: It cannot be written.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    _write(folder.file(sha256, kind), content, lasting)
    return sha256


def _write(path: Path, content: bytes, lasting: bool = True) -> Path:
    try:
        if path.is_file() and path.read_bytes() == content:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        # A temporary file is its owner's alone, and this one is a source file.
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as error:
        raise EnvironmentFault(
            f"{path} cannot be written ({error.strerror}): free some disk, or mend its rights."
        ) from error
    return path
