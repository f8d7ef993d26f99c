"""The user's own code in the artefact: `blueprints/tools/` and the packages of `blueprints/requirements.txt`.

The packages are locked by hash in `requirements.lock`, which is made at first use, kept beside the requirements and
made again when these or our own locks change.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, InputError
from agent_runtime.files import KIB, FileFault, read_inside
from agent_runtime.source_check import REQUIREMENTS, TOOLS, class_references
from agent_runtime.structured_output.dialects import PLAIN, dialect_of
from agent_runtime.tools.import_check import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent_runtime.errors import Problem
    from agent_runtime.loader import LoadedBlueprint
    from agent_runtime.yaml_nodes import Path as NodePath

LOCK = "requirements.lock"

_MAX_FILE_BYTES = 20_000 * KIB
_IMPORT_SECONDS = 60
_OLDEST_PYTHON = "3.11"
_ROOT = Path(__file__).resolve().parent.parent
_STAMP = "# made by Strandline for "


@dataclass(frozen=True, slots=True)
class UserCode:
    """What the user adds to the artefact.

    Attributes:
        files: Files of the tools folder by their path in it, with their content.
        lock: The locked packages, if there are any.
    """

    files: tuple[tuple[str, bytes], ...]
    lock: Path | None


def read_user_code(root: Path, own_locks: Sequence[Path]) -> UserCode:
    """Reads the user's code and locks its packages, which needs the package index when they change.

    Args:
        root: The blueprints folder.
        own_locks: Our lock files; one version of each package has to serve both.

    Returns:
        The code.

    Raises:
        InputError: A file is a link or too large, or the packages do not go together with ours.
        EnvironmentFault: The index cannot be reached, or the lock cannot be written.
    """
    folder = root / TOOLS
    files: list[tuple[str, bytes]] = []
    for path in _sources(folder):
        steps = path.relative_to(folder).parts
        try:
            files.append(("/".join(steps), read_inside(folder, *steps, limit=_MAX_FILE_BYTES)))
        except FileFault as fault:
            raise InputError(f"{path} cannot be packaged: {fault.message} ({fault.hint}).") from None
    return UserCode(tuple(files), _locked(root, own_locks))


def find_import_faults(agents: Iterable[LoadedBlueprint], root: Path, home: Path | None = None) -> list[Problem]:
    """Imports what blueprints name of the user's code, in a process without the deployment's credentials.

    Args:
        agents: The agents.
        root: The blueprints folder.
        home: The project's `.strandline` folder, to remember what was found to be right.

    Returns:
        What is wrong, at the blueprints' own lines. A module whose package only the artefact has is passed over.
    """
    places = [(agent, path, reference) for agent in agents for path, reference in _references(agent)]
    if not places:
        return []
    references = sorted({reference for _, _, reference in places})
    known = home / "imports" / _state_of(root, references) if home else None
    if known and known.exists():
        return []
    found = _imported(references, root / TOOLS)
    has_packages = (root / REQUIREMENTS).exists()
    problems: list[Problem] = []
    for agent, path, reference in places:
        fault = found[reference]
        if fault is None or (fault.startswith(MISSING) and has_packages):
            continue
        if fault.startswith(MISSING):
            module = fault.removeprefix(MISSING)
            message, hint = f"it imports {module}, which is not there", f"add its package to {root / REQUIREMENTS}"
        else:
            message, hint = fault.rstrip("."), "mend the user's code"
        problems.append(agent.document.problem(path, message, hint))
    if known and not problems:
        known.parent.mkdir(parents=True, exist_ok=True)
        known.touch()
    return list(dict.fromkeys(problems))


def _state_of(root: Path, references: list[str]) -> str:
    digest = hashlib.sha256("\0".join([sys.version, *references]).encode())
    for path in [*_sources(root / TOOLS), root / REQUIREMENTS]:
        if path.is_file():
            digest.update(f"\0{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _references(agent: LoadedBlueprint) -> Iterator[tuple[NodePath, str]]:
    for path, reference in class_references(agent.blueprint):
        # A check's schema is held to the answer only; the model is not shown it.
        dialect = dialect_of(agent.blueprint.model) if path == ("output_schema",) else PLAIN
        yield path, f"class/{dialect}={reference}"
    for index, tool in enumerate(agent.blueprint.tools):
        if tool.python:
            yield ("tools", index, "python"), f"tool={tool.python}"


def _imported(references: list[str], folder: Path) -> dict[str, str | None]:
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.json"
        command = [sys.executable, "-m", "agent_runtime.tools.import_check", str(folder), str(result), *references]
        # Few variables: whatever the user's code does when it is imported, it does it without our credentials.
        variables = {"PATH": os.defpath, "HOME": scratch, "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            subprocess.run(
                command, env=variables, cwd=scratch, capture_output=True, check=False, timeout=_IMPORT_SECONDS
            )
        except subprocess.TimeoutExpired:
            return dict.fromkeys(references, f"its import takes more than {_IMPORT_SECONDS} seconds")
        if not result.exists():
            return dict.fromkeys(references, "its import ends the process")
        found: dict[str, str | None] = json.loads(result.read_text())
        return found


def _sources(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return sorted(path for path in found if not _is_left_out(path.relative_to(folder)))


def _is_left_out(path: Path) -> bool:
    return any(step.startswith(".") or step == "__pycache__" for step in path.parts) or path.suffix == ".pyc"


def _locked(root: Path, own_locks: Sequence[Path]) -> Path | None:
    requirements, lock = root / REQUIREMENTS, root / LOCK
    if not requirements.exists():
        return None
    digest = hashlib.sha256(requirements.read_bytes())
    for own in own_locks:
        digest.update(b"\0" + own.read_bytes())
    stamp = f"{_STAMP}{digest.hexdigest()}\n"
    if not lock.exists() or not lock.read_text().startswith(stamp):
        _compile(requirements, lock, own_locks, stamp)
    return lock


def _compile(requirements: Path, lock: Path, own_locks: Sequence[Path], stamp: str) -> None:
    import uv

    print(f"Locking the packages of {requirements} in {lock}.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / LOCK
        if lock.exists():
            made.write_bytes(lock.read_bytes())  # what is locked stays, as far as it can
        command = [uv.find_uv_bin(), "pip", "compile", "--quiet", "--color", "never", "--no-config", str(requirements)]
        command += ["--universal", "--python-version", _OLDEST_PYTHON, "--generate-hashes", "--no-header"]
        command += ["--no-annotate", "--exclude-newer", "7 days", "--output-file", str(made)]
        for own in own_locks:
            command += ["--constraints", str(own)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise _refused(requirements, done.stderr.strip()[-2000:])
        try:
            lock.write_text(stamp + made.read_text())
        except OSError as error:
            raise EnvironmentFault(
                f"{lock} cannot be written ({error.strerror}): it belongs to the project."
            ) from error


def _refused(requirements: Path, said: str) -> Exception:
    if "No solution found" in said or "unsatisfiable" in said:
        return InputError(f"The packages of {requirements} do not go together with those of the handler: {said}")
    if "Couldn't parse" in said:
        return InputError(f"{requirements} cannot be read: {said}")
    return EnvironmentFault(f"uv cannot lock {requirements}: {said}\nIs the package index reachable from here?")
