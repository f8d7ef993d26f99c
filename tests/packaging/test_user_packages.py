"""The user's packages in an artefact for Graviton: locked, installed as published, compiled, and checked like ours."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import zipfile
from itertools import chain
from pathlib import Path

import pytest

from agent_runtime.errors import InputError
from stacks.artefacts import FEATURES
from stacks.packaging import AGENTCORE, build_code_artefact, elf, install, lock_of
from stacks.packaging.interpreter import interpreter_for
from stacks.user_code import UserCode, read_user_code
from tests.packaging.test_binaries import library

ADDED = tuple(feature for feature in FEATURES if feature not in {"light", "litellm"})


def wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    """A wheel of one's own, with the file of its hashes that uv reads."""
    info = f"{name}-1.0.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}"
        for path, content in files.items()
    ]
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**files, f"{info}/RECORD": "\n".join([*record, f"{info}/RECORD,,"]).encode()}.items():
            archive.writestr(member, content)
    return path


def locked(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.name.partition('-')[0]} @ {path.as_uri()} --hash=sha256:{digest}\n"


def test_a_native_package_of_the_user_is_that_of_graviton(tmp_path: Path) -> None:
    # Given a package with native code, which our own locks pin too
    blueprints = tmp_path / "blueprints"
    (blueprints / "tools").mkdir(parents=True)
    (blueprints / "tools" / "words.py").write_text("import regex\n")
    (blueprints / "requirements.txt").write_text("regex\n")
    code = read_user_code(blueprints, [lock_of("litellm")])

    # When the artefact is built from it alone
    artefact = build_code_artefact((), AGENTCORE, tmp_path, code)

    # Then its library is for Graviton, both are compiled, and its tests are as published
    with zipfile.ZipFile(artefact.path) as archive:
        names = set(archive.namelist())
        (native,) = [name for name in names if name.startswith("regex/") and name.endswith(".so")]
        assert elf.machine_of(archive.read(native)) == elf.AARCH64
    assert "user_tools/__pycache__/words.cpython-313.pyc" in names
    assert "regex/__pycache__/__init__.cpython-313.pyc" in names
    assert any(name.startswith("regex/tests/") for name in names)
    (component,) = json.loads(artefact.sbom.read_text())["components"]
    assert component["name"] == "regex"
    assert "aarch64" in component["externalReferences"][0]["url"]


def test_a_wheel_that_hides_another_machines_library_is_refused(tmp_path: Path) -> None:
    made = wheel(tmp_path, "hidden", {"hidden/__init__.py": b"", "hidden/fast.so": library(machine=62)})
    (tmp_path / "requirements.lock").write_text(locked(made))

    with pytest.raises(InputError, match=r"hidden/fast\.so is for x86-64"):
        build_code_artefact((), AGENTCORE, tmp_path, UserCode((), tmp_path / "requirements.lock"))

    assert not list((tmp_path / "artefacts").glob("*.zip"))


def test_a_file_of_the_users_tools_for_another_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text(locked(wheel(tmp_path, "plain", {"plain/__init__.py": b""})))
    code = UserCode((("solver.so", library(machine=62)),), tmp_path / "requirements.lock")

    with pytest.raises(InputError, match=r"user_tools/solver\.so is for x86-64.*take the file out of blueprints/tools"):
        build_code_artefact((), AGENTCORE, tmp_path, code)


def test_packages_of_the_user_stay_as_published(tmp_path: Path) -> None:
    files = {"whole/__init__.py": b"", "whole/tests/__init__.py": b"", "whole/types.pyi": b"", "whole/icon.png": b"png"}
    (tmp_path / "requirements.lock").write_text(locked(wheel(tmp_path, "whole", files)))

    artefact = build_code_artefact((), AGENTCORE, tmp_path, UserCode((), tmp_path / "requirements.lock"))

    with zipfile.ZipFile(artefact.path) as archive:
        assert set(files) <= set(archive.namelist())


@pytest.mark.parametrize("base", ["light", "litellm"])
def test_all_features_are_installed_together(base: str, tmp_path: Path) -> None:
    """Nothing is resolved at the installation, so whatever goes together whole goes together in part."""
    locks = [lock_of(feature) for feature in (base, *ADDED)]
    options = chain.from_iterable(("--requirements", str(lock)) for lock in locks)
    said = install._uv(
        ["install", "--dry-run", "--target", str(tmp_path / "tree"), "--require-hashes", *options],
        AGENTCORE,
        interpreter_for(AGENTCORE),
    )

    assert said is None


@pytest.mark.parametrize("base", ["light", "litellm"])
def test_a_package_of_several_locks_has_one_version(base: str) -> None:
    versions: dict[str, set[str]] = {}
    for feature in (base, *ADDED):
        for line in lock_of(feature).read_text().splitlines():
            if "==" in line and not line.startswith((" ", "#")):
                name, _, rest = line.partition("==")
                versions.setdefault(name.partition("[")[0], set()).add(rest.split()[0])

    assert len(versions) > 50
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_what_is_locked_is_no_release_that_must_not_run() -> None:
    """LiteLLM 1.82.7 and 1.82.8 were malware, and what is older than 1.84.0 has known holes."""
    versions = {
        tuple(int(number) for number in line.partition("==")[2].split()[0].split("."))
        for feature in FEATURES
        for line in lock_of(feature).read_text().splitlines()
        if line.startswith("litellm==")
    }

    assert versions
    assert min(versions) >= (1, 84, 0)


def test_uv_is_asked_for_the_hashes_of_wheels_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []
    python = interpreter_for(AGENTCORE)

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(install.subprocess, "run", run)

    install.install([lock_of("light")], AGENTCORE, python, tmp_path)

    installs = [command for command in commands if "install" in command]
    assert {"--require-hashes", "--only-binary", "--no-deps", "--no-config"} <= set(installs[0])
