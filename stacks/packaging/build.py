"""Builds the code artefact, or finds it built.

Most of the work is in the packages, which change with a lock file and not with our own or the user's code. So they are
packed by themselves, as a layer, and the artefact is that layer and the sources of the day.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from agent_runtime.user_code import FOLDER
from stacks.packaging import archive
from stacks.packaging.binaries import check_binaries
from stacks.packaging.bytecode import START_MODULES, compile_tree, pack_bytecode
from stacks.packaging.install import SOURCES, install, lock_of, names_in, wheels_of
from stacks.packaging.interpreter import interpreter_for
from stacks.packaging.quotas import check_size
from stacks.packaging.sbom import bill_of_materials, components_of, read_components, write_components
from stacks.packaging.trim import trim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.packaging.archive import Entry
    from stacks.packaging.interpreter import Interpreter
    from stacks.packaging.target import Target
    from stacks.user_code import UserCode

_Files = tuple[tuple[str, bytes], ...]

_SCRATCH = ".building-"
_KEPT = 16
"""Artefacts of one name, and layers, that stay for whoever goes back to them; each is some 20 to 100 MB."""


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

    @property
    def runtime(self) -> str:
        """AgentCore's name of its Python."""
        return self.target.agentcore_runtime

    @property
    def sbom(self) -> Path:
        """Its bill of materials, CycloneDX."""
        return self.path.with_suffix(".cdx.json")


@dataclass(frozen=True, slots=True)
class _Packages:
    """What makes a layer.

    Attributes:
        features: Names of our own lock files.
        locks: The same as files, and the user's.
        with_user_code: Whether code of the user runs on it.
    """

    features: tuple[str, ...]
    locks: tuple[Path, ...]
    with_user_code: bool

    @property
    def name(self) -> str:
        return "-".join([*self.features, *(["user"] if self.with_user_code else [])])


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
        InputError: The user's packages have no wheels for the target, or are locked without hashes, or AWS would refuse
            the size.
        EnvironmentFault: The wheels or the compiler cannot be had, or the disk is full.
    """
    folder = home / "artefacts"
    locks = [lock_of(feature) for feature in features]
    locks += [user_code.lock] if user_code and user_code.lock else []
    packages = _Packages(tuple(features), tuple(locks), user_code is not None)
    files = user_code.files if user_code else ()
    path = folder / f"{packages.name}-{target.platform}-{target.python}-{_artefact_key(packages, target, files)}.zip"
    stamp = path.with_suffix(".sha256")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder / ".building"):
            if not stamp.exists():
                _remove_cut_off(folder)
                _build(packages, target, path, files)
                stamp.write_text(_sha256(path))
                _remove_old(path, (".sha256", ".cdx.json", ".zip"))
            path.touch()  # it is in use
        return CodeArtefact(path, stamp.read_text(), target)
    except OSError as error:
        raise EnvironmentFault(
            f"The code artefact cannot be written to {folder} ({error.strerror}): "
            "free some disk, or name another folder with STRANDLINE_HOME."
        ) from error


def _build(packages: _Packages, target: Target, path: Path, user_files: _Files) -> None:
    interpreter = interpreter_for(target)
    layer = path.parent / f"{packages.name}-{target.platform}-{target.python}-{_layer_key(packages, target)}.layer"
    components = layer.with_suffix(".components")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_SCRATCH) as scratch:
        if not components.exists():
            _build_layer(packages, target, interpreter, Path(scratch) / "packages", layer)
            _remove_old(layer, (".components", ".layer"))
        layer.touch()
        tree = Path(scratch) / "sources"
        _add_own_sources(tree)
        _add_user_files(tree, user_files)
        check_binaries(tree, target)
        compile_tree(tree, interpreter)
        pack_bytecode(tree, "sources", keep=packages.with_user_code)
        entries = _merged(archive.read(layer), archive.pack(tree, _level(target)))
        unfinished = Path(scratch) / "artefact.zip"
        archive.write(entries, unfinished)
        # What stays on this machine is packed fast: larger than what AWS would get.
        check_size(entries, None if target.is_host else unfinished.stat().st_size)
        bill = bill_of_materials(
            packages.name,
            _sha256(unfinished),
            read_components(components),
            {"platform": target.platform, "python": target.python, "compiler": f"CPython {interpreter.version}"},
        )
        path.with_suffix(".cdx.json").write_text(json.dumps(bill, indent=2) + "\n")
        unfinished.replace(path)


def _build_layer(packages: _Packages, target: Target, interpreter: Interpreter, tree: Path, layer: Path) -> None:
    install(packages.locks, target, interpreter, tree)
    components = components_of(tree, wheels_of(packages.locks, target, interpreter))
    ours = names_in([lock_of(feature) for feature in packages.features])
    # Before the trim, which takes out what the check reads.
    check_binaries(tree, target)
    # The user's code may call any service of AWS.
    trim(tree, ours=ours, all_services=packages.with_user_code)
    compile_tree(tree, interpreter)
    pack_bytecode(tree, "packages", keep=packages.with_user_code)
    unfinished = tree.with_suffix(".zip")
    archive.write(archive.pack(tree, _level(target)), unfinished)
    unfinished.replace(layer)
    # Last: a layer without it was cut off.
    write_components(components, layer.with_suffix(".components"))


def _level(target: Target) -> int:
    return archive.FAST if target.is_host else archive.SMALL


def _remove_old(newest: Path, suffixes: Sequence[str]) -> None:
    """Removes what was used longest ago; first what tells that the rest is whole."""
    key = newest.stem.rpartition("-")[2]
    alike = newest.parent.glob(f"{newest.stem.removesuffix(key)}{'?' * len(key)}{newest.suffix}")
    by_use = sorted(alike, key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_use[_KEPT:]:
        for suffix in suffixes:
            old.with_suffix(suffix).unlink(missing_ok=True)


def _remove_cut_off(folder: Path) -> None:
    """Removes the scratch of builders that were killed; nobody else builds now."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(scratch)


def _merged(packages: list[Entry], sources: list[Entry]) -> list[Entry]:
    own = {entry.name for entry in sources}
    return [*sources, *(entry for entry in packages if entry.name not in own)]


def _layer_key(packages: _Packages, target: Target) -> str:
    digest = hashlib.sha256(f"{target} {packages.with_user_code}".encode())
    # A change of the recipe is a change of the artefact, so this package is an input too.
    for file in [*sorted(Path(__file__).parent.glob("*.py")), START_MODULES, *packages.locks]:
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    if target.is_host:
        digest.update(f"{platform.system()} {platform.machine()} {sys.version}".encode())
    return digest.hexdigest()[:16]


def _artefact_key(packages: _Packages, target: Target, user_files: _Files) -> str:
    digest = hashlib.sha256(_layer_key(packages, target).encode())
    for file in _own_sources():
        digest.update(f"\0{file.relative_to(SOURCES)}\0".encode() + file.read_bytes())
    for name, content in user_files:
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _own_sources() -> list[Path]:
    return sorted(SOURCES.glob("**/*.py"))


def _add_own_sources(tree: Path) -> None:
    for file in _own_sources():
        destination = tree / "agent_runtime" / file.relative_to(SOURCES)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, destination)
    shutil.copyfile(SOURCES / "main.py", tree / "main.py")


def _add_user_files(tree: Path, files: _Files) -> None:
    for name, content in files:
        destination = tree / FOLDER / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_bytes(content)


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
