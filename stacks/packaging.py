"""The code artefact: handler and locked dependencies in one zip for AgentCore's direct code deployment.

The zip depends on nothing but the lock files, our sources, the user's code and the target, so the same inputs give the
same bytes on any path and at any time. It is built once and kept under the hash of its inputs; a synth that finds it
does no work. No Docker is needed: uv installs the target's wheels by their hashes.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent_runtime.errors import EnvironmentFault, InputError
from agent_runtime.user_code import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.user_code import UserCode

_Files = tuple[tuple[str, bytes], ...]

_SOURCES = Path(__file__).resolve().parent.parent / "agent_runtime"
_EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# AWS's quotas for direct code deployment: 250 MB zipped, 750 MB unpacked.
_MAXIMUM_ZIP_BYTES = 250 * 1000 * 1000
_MAXIMUM_UNPACKED_BYTES = 750 * 1000 * 1000
# The handler calls these; the models of all services would be a third of the artefact.
_SERVICE_MODELS = {"bedrock-agent-runtime", "bedrock-runtime", "s3", "secretsmanager", "sso", "sso-oidc", "sts"}
# Console scripts carry the build machine's interpreter, the rest the build's time or place.
_DROPPED_NAMES = {"__pycache__", ".lock", "INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json"}


@dataclass(frozen=True, slots=True)
class Target:
    """What the artefact has to run on.

    Attributes:
        platform: uv's name of the platform, or `host` for the machine at hand.
        python: Python version, such as `3.13`.
    """

    platform: Literal["aarch64-manylinux_2_28", "host"]
    python: str

    @property
    def agentcore_runtime(self) -> str:
        """The version as AgentCore's `runtime` names it."""
        return "PYTHON_" + self.python.replace(".", "_")


AGENTCORE = Target("aarch64-manylinux_2_28", "3.13")
"""AgentCore runs Graviton, and nothing else."""
HOST = Target("host", f"{sys.version_info.major}.{sys.version_info.minor}")
"""The machine at hand, on which the local cloud runs sessions as processes."""


@dataclass(frozen=True, slots=True)
class CodeArtefact:
    """A built zip.

    Attributes:
        path: The zip.
        sha256: Hash of the zip.
        target: What it runs on.
    """

    path: Path
    sha256: str
    target: Target


def lock_of(feature: str) -> Path:
    """Names the lock file of a feature."""
    return _SOURCES / "requirements" / f"{feature}.lock"


def build_code_artefact(
    features: Sequence[str], target: Target, home: Path, user_code: UserCode | None = None
) -> CodeArtefact:
    """Gives the code artefact, building it if these inputs never were built here.

    Args:
        features: Names of lock files in `agent_runtime/requirements/`, which are installed together.
        target: What it has to run on.
        home: The project's `.strandline` folder.
        user_code: What the user adds, if the agent runs any of it.

    Returns:
        The artefact.

    Raises:
        InputError: The user's packages have no wheels for the target, or are locked without hashes.
        EnvironmentFault: The wheels cannot be had, the disk is full, or AWS would refuse the size.
    """
    folder = home / "artefacts"
    name = "-".join([*features, *(["user"] if user_code else [])])
    locks = [lock_of(feature) for feature in features]
    locks += [user_code.lock] if user_code and user_code.lock else []
    files = user_code.files if user_code else None
    path = folder / f"{name}-{target.platform}-{target.python}-{_key(locks, target, files)[:16]}.zip"
    stamp = path.with_suffix(".sha256")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder / ".building"):
            if not stamp.exists():
                _build(locks, target, path, files)
                stamp.write_text(_sha256(path))
        return CodeArtefact(path, stamp.read_text(), target)
    except OSError as error:
        raise EnvironmentFault(
            f"The code artefact cannot be written to {folder} ({error.strerror}): "
            "free some disk, or name another folder with STRANDLINE_HOME."
        ) from error


def _key(locks: Sequence[Path], target: Target, user_files: _Files | None) -> str:
    # A change of the recipe is a change of the artefact, so this file is an input too.
    digest = hashlib.sha256(Path(__file__).read_bytes() + str(target).encode())
    if target.platform == "host":
        digest.update(f"{platform.system()} {platform.machine()} {sys.version}".encode())
    for file in [*locks, *_own_sources()]:
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    if user_files is not None:
        digest.update(b"\0the user's code")
        for name, content in user_files:
            digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _own_sources() -> list[Path]:
    return sorted(_SOURCES.glob("**/*.py"))


def _build(locks: Sequence[Path], target: Target, path: Path, user_files: _Files | None) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as scratch:
        tree = Path(scratch) / "tree"
        _install(locks, target, tree)
        # The user's code may call any service of AWS.
        _trim(tree, all_services=user_files is not None)
        _add_own_sources(tree)
        _add_user_files(tree, user_files or ())
        if target.platform == "host":
            _compile(tree)
        unfinished = Path(scratch) / "artefact.zip"
        _zip(tree, unfinished)
        unfinished.replace(path)


def _install(locks: Sequence[Path], target: Target, tree: Path) -> None:
    import uv

    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--color", "never"]
    for lock in locks:
        command += ["--requirements", str(lock)]
    command += ["--target", str(tree)]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile-bytecode", "--no-config"]
    # Hard links would let whoever writes into the tree write into uv's cache.
    command += ["--link-mode", "copy"]
    if target.platform == "host":
        command += ["--python", sys.executable]
    else:
        command += ["--python-platform", target.platform, "--python-version", target.python]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        names = ", ".join(lock.name for lock in locks)
        if mend := _users_fault(done.stderr):
            raise InputError(f"uv cannot install {names}: {done.stderr.strip()[-2000:]}\n{mend}")
        raise EnvironmentFault(
            f"uv cannot install {names} for {target.platform}, Python {target.python}: "
            f"{done.stderr.strip()[-2000:]}\n{_mend(done.stderr)}"
        )


def _users_fault(said: str) -> str | None:
    """Only the user's packages can be so: our own locks are built at every release."""
    if "must have a hash" in said or "Hash mismatch" in said:
        return "Remove blueprints/requirements.lock: it is made again, with hashes."
    if "no wheels with a matching" in said or "no usable wheels" in said or "no binary distribution" in said:
        return "AgentCore runs arm64 and nothing is built: name a version that has a wheel for manylinux on aarch64."
    return None


def _mend(said: str) -> str:
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return "Free some disk, or name another folder with STRANDLINE_HOME."
    return "Is the package index reachable from here?"


def _add_own_sources(tree: Path) -> None:
    for file in _own_sources():
        destination = tree / "agent_runtime" / file.relative_to(_SOURCES)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, destination)
    shutil.copyfile(_SOURCES / "main.py", tree / "main.py")


def _add_user_files(tree: Path, files: _Files) -> None:
    for name, content in files:
        destination = tree / FOLDER / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_bytes(content)


def _trim(tree: Path, *, all_services: bool) -> None:
    shutil.rmtree(tree / "bin", ignore_errors=True)
    for model in (tree / "botocore" / "data").glob("*/"):
        if not all_services and model.name not in _SERVICE_MODELS:
            shutil.rmtree(model)
    for found in [*tree.rglob("*")]:
        if found.name in _DROPPED_NAMES or found.suffix == ".pth":
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)


def _compile(tree: Path) -> None:
    # Unchecked hashes: nobody edits an artefact, and a zip keeps no times that a check by time could use.
    compileall.compile_dir(
        tree, quiet=2, stripdir=str(tree), workers=os.cpu_count() or 1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )  # fmt: skip


def _zip(tree: Path, path: Path) -> None:
    files = sorted(file for file in tree.rglob("*") if file.is_file())
    unpacked = sum(file.stat().st_size for file in files)
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(tree).as_posix(), _EARLIEST_ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whatever machine builds
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes(), compresslevel=6)
    if path.stat().st_size > _MAXIMUM_ZIP_BYTES or unpacked > _MAXIMUM_UNPACKED_BYTES:
        raise EnvironmentFault(
            f"The code artefact has {path.stat().st_size / 1e6:.0f} MB zipped and {unpacked / 1e6:.0f} MB unpacked; "
            "AgentCore takes 250 MB and 750 MB: use fewer dependencies."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    """One builder at a time, also among processes: four environments synthesise the same artefact."""
    import fcntl

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
