"""The wheels of an artefact: found, checked by their hashes and unpacked by uv."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.packaging.records import altered_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.packaging.interpreter import Interpreter
    from stacks.packaging.target import Target

SOURCES = Path(__file__).resolve().parents[2] / "agent_runtime"
"""The handler's own code, beside whose lock files it lies."""

_ONLY_WHEELS = ("--no-deps", "--only-binary", ":all:", "--no-config")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that uv takes for a target.

    Attributes:
        url: Where it comes from; ends in its file name.
        sha256: Its hash.
    """

    url: str
    sha256: str

    @property
    def tags(self) -> set[str]:
        """What it runs on, as its file name tells (PyPA specification "Binary distribution format")."""
        *_, pythons, abis, platforms = self.url.rpartition("/")[2].removesuffix(".whl").split("-")
        return {
            f"{python}-{abi}-{platform}"
            for python in pythons.split(".")
            for abi in abis.split(".")
            for platform in platforms.split(".")
        }


def lock_of(feature: str) -> Path:
    """Names the lock file of a feature."""
    return SOURCES / "requirements" / f"{feature}.lock"


def names_in(locks: Sequence[Path]) -> set[str]:
    """Tells which packages lock files name."""
    return {name for lock in locks for name in re.findall(r"(?m)^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==", lock.read_text())}


def install(locks: Sequence[Path], target: Target, interpreter: Interpreter, tree: Path) -> None:
    """Installs locked wheels into a folder.

    uv compares a wheel with its hash when it downloads it, and never again what it has unpacked into its cache. Other
    programs write there, by the links that environments are made of: such as those that add a company's certificate
    to certifi's. So each file is compared with its wheel's record.

    Args:
        locks: Lock files with hashes, installed together.
        target: What the wheels have to run on.
        interpreter: A Python of the target's version.
        tree: The folder, which is not there yet.

    Raises:
        InputError: The user's packages have no wheels for the target, or are locked without hashes.
        EnvironmentFault: The wheels cannot be had, or something changes what they hold.
    """
    # Hard links would let whoever writes into the tree write into uv's cache.
    options = ["--target", str(tree), "--require-hashes", "--no-compile-bytecode", "--link-mode", "copy"]
    for lock in locks:
        options += ["--requirements", str(lock)]
    said = _uv(["install", *options], target, interpreter)
    names = ", ".join(lock.name for lock in locks)
    if said is None:
        altered = altered_files(tree)
        if altered:
            shutil.rmtree(tree)
            _install_anew(altered, options, target, interpreter, tree)
        return
    if mend := _users_fault(said):
        raise InputError(f"uv cannot install {names}: {said}\n{mend}")
    raise EnvironmentFault(
        f"uv cannot install {names} for {target.platform}, Python {target.python}: {said}\n{_mend(said)}"
    )


def _install_anew(
    altered: dict[str, str], options: list[str], target: Target, interpreter: Interpreter, tree: Path
) -> None:
    """Installs once more, with what was altered downloaded and unpacked into uv's cache anew."""
    refreshed = [part for name in sorted(set(altered.values())) for part in ("--refresh-package", name)]
    said = _uv(["install", *options, *refreshed], target, interpreter, is_cache_enough=False)
    if said is not None:
        raise EnvironmentFault(f"{_not_so(altered)}, which cannot be had again: {said}\n{_mend(said)}")
    if still := altered_files(tree):
        raise EnvironmentFault(
            f"{_not_so(still)}, though that was asked for again: run `uv cache clean {next(iter(still.values()))}`, or "
            "find out what on this machine changes installed packages. If it was published so, name another version."
        )


def _not_so(altered: dict[str, str]) -> str:
    file, package = next(iter(altered.items()))
    return f"{file} in uv's cache is not what the wheel of {package} holds"


def wheels_of(locks: Sequence[Path], target: Target, interpreter: Interpreter) -> dict[tuple[str, str], list[Wheel]]:
    """Tells which wheels uv takes for locked packages.

    Args:
        locks: The lock files.
        target: What the wheels have to run on.
        interpreter: A Python of the target's version.

    Returns:
        The wheels by name and version. A package that the user takes from elsewhere than an index has none.
    """
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "pylock.toml"
        options = ["--format", "pylock.toml", "--output-file", str(made), "--no-header"]
        said = _uv(["compile", *options, *map(str, locks)], target, interpreter)
        if said is not None:
            names = ", ".join(lock.name for lock in locks)
            raise EnvironmentFault(f"uv cannot tell the wheels of {names}: {said}\n{_mend(said)}")
        packages = tomllib.loads(made.read_text())["packages"]
    return {
        (package["name"], package["version"]): [
            Wheel(wheel["url"], wheel["hashes"]["sha256"])
            for wheel in package.get("wheels", [])
            if "url" in wheel and "sha256" in wheel["hashes"]
        ]
        for package in packages
        if "version" in package
    }


def _uv(arguments: list[str], target: Target, interpreter: Interpreter, *, is_cache_enough: bool = True) -> str | None:
    """Runs `uv pip` for a target; gives what it says when it fails, else nothing."""
    import uv

    command = [uv.find_uv_bin(), "pip", *arguments, "--quiet", "--color", "never", *_ONLY_WHEELS]
    command += ["--python", str(interpreter.path), "--python-version", target.python]
    if not target.is_host:
        command += ["--python-platform", target.platform]
    # Whatever is locked never changes, so a warm cache needs no question to the index.
    for network in (["--offline"], []) if is_cache_enough else ([],):
        done = subprocess.run([*command, *network], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return None
    return done.stderr.strip()[-2000:]


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
