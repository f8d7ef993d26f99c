"""The Python that compiles the artefact: pinned to the patch release, because two of them compile differently.

The format of bytecode is fixed for a minor version, so what the pinned release compiles, every later one runs. What is
compiled is not: 3.11.2 and 3.11.7 give other bytes for 6 of the 3,333 modules of the light set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.packaging.target import Target

PINNED = {"3.13": "3.13.0"}
"""Minor version to the release that compiles for it: the first of each, which all others are compatible with."""

_DOWNLOAD_SECONDS = 180
_TELL_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of this machine.

    Attributes:
        path: The program.
        version: Its version with the patch release.
    """

    path: Path
    version: str


def interpreter_for(target: Target) -> Interpreter:
    """Finds the Python that compiles for a target, or lets uv download it.

    Args:
        target: What the artefact has to run on.

    Returns:
        The pinned release if it can be had, or another one of the same minor version, which is told on standard error.
        For the machine at hand, the Python of the same version that is running, whichever release it is.

    Raises:
        EnvironmentFault: There is none, and none can be downloaded.
    """
    others: dict[str, Interpreter] = {}
    pinned = None if target.is_host else PINNED.get(target.python)
    for found in _installed(target.python, pinned):
        if pinned is None or found.version == pinned:
            return found
        others.setdefault(found.version, found)
    if downloaded := _download(pinned or target.python):
        return downloaded
    if others:
        substitute = others[max(others, key=lambda version: int(version.rpartition(".")[2]))]
        print(
            f"The code artefact is compiled by Python {substitute.version}, because {pinned} is neither installed nor "
            "can be downloaded: it runs as well, and its hash may differ from that of another machine.",
            file=sys.stderr,
        )
        return substitute
    raise EnvironmentFault(
        f"The code artefact is compiled by Python {target.python}, and this machine has none that uv can download: "
        f"install it so that `python{target.python}` runs, or run `uv python install {pinned or target.python}` where "
        "github.com or a mirror (UV_PYTHON_INSTALL_MIRROR) can be reached."
    )


def _installed(minor: str, pinned: str | None) -> Iterator[Interpreter]:
    candidates = [sys.executable, shutil.which(f"python{minor}"), *_of_pyenv(minor)]
    for candidate in candidates:
        if candidate and (found := _asked(candidate, minor)):
            yield found
    if found := _of_uv(pinned or minor):
        yield found


def _of_pyenv(minor: str) -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return [str(path) for path in sorted(root.glob(f"versions/{minor}.*/bin/python"))]


def _of_uv(version: str) -> Interpreter | None:
    # Only uv's own: among the others it stumbles over shims of pyenv that lead nowhere.
    found = _uv("find", "--managed-python", "--no-project", version)
    return _asked(found.strip(), version) if found else None


def _download(version: str) -> Interpreter | None:
    print(f"Python {version}, which compiles the code artefact, is looked for by uv.", file=sys.stderr)
    return _of_uv(version) if _uv("install", "--quiet", "--no-bin", version) is not None else None


def _uv(*arguments: str) -> str | None:
    import uv

    command = [uv.find_uv_bin(), "python", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode else done.stdout


def _asked(program: str, version: str) -> Interpreter | None:
    # A shim of pyenv is there for every version, and works only for those that are chosen.
    try:
        done = subprocess.run([program, "-I", "-S", "-c", _TELL_VERSION], capture_output=True, text=True, check=False)
    except OSError:
        return None
    told = done.stdout.strip()
    if done.returncode or not f"{told}.".startswith(f"{version}."):
        return None
    return Interpreter(Path(program), told)
