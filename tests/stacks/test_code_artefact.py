"""The code artefact: the same bytes everywhere, for Graviton, built once, and clear when it cannot be built."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.errors import EnvironmentFault, InputError
from stacks import packaging
from stacks.packaging import AGENTCORE, CodeArtefact, build_code_artefact
from tests.stacks.projects import ROOT

AARCH64 = 183  # e_machine of the ELF header


@pytest.fixture(scope="module")
def artefact() -> CodeArtefact:
    return build_code_artefact(("light",), AGENTCORE, ROOT / ".strandline")


@pytest.fixture(scope="module", params=["light", "litellm"])
def archive(request: pytest.FixtureRequest) -> zipfile.ZipFile:
    return zipfile.ZipFile(build_code_artefact((request.param,), AGENTCORE, ROOT / ".strandline").path)


def test_its_name_is_the_hash_of_its_bytes(artefact: CodeArtefact) -> None:
    assert hashlib.sha256(artefact.path.read_bytes()).hexdigest() == artefact.sha256


def test_another_path_and_umask_and_time_give_the_same_bytes(artefact: CodeArtefact, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = build_code_artefact(("light",), AGENTCORE, tmp_path / "another" / "and much longer path")
    finally:
        os.umask(before)

    assert again.path != artefact.path
    assert again.sha256 == artefact.sha256


def test_every_native_library_is_for_graviton(archive: zipfile.ZipFile) -> None:
    machines = {}
    for name in archive.namelist():
        with archive.open(name) as file:
            header = file.read(20)
        if header.startswith(b"\x7fELF"):
            machines[name] = struct.unpack_from("<H", header, 18)[0]

    assert len(machines) > 3
    assert {name: machine for name, machine in machines.items() if machine != AARCH64} == {}


def test_the_entry_point_and_the_handler_are_where_agentcore_looks(archive: zipfile.ZipFile) -> None:
    names = set(archive.namelist())

    assert {"main.py", "agent_runtime/__init__.py", "agent_runtime/server.py"} <= names
    assert not names & {"stacks/__init__.py", "strandline/__init__.py", "gateway/__init__.py"}


def test_nothing_is_in_it_that_differs_by_machine_or_runs_by_itself(archive: zipfile.ZipFile) -> None:
    for name in archive.namelist():
        parts = Path(name).parts
        assert parts[0] != "bin", name
        # Deeper down they are modules like any other: opentelemetry brings one for whoever asks for it.
        assert parts[0] not in {"sitecustomize.py", "usercustomize.py"}, name
        assert not {"__pycache__", ".env", ".git"} & set(parts), name
        assert not name.endswith((".pth", ".pyc", ".lock")), name
        assert not name.endswith(".pem") or b"PRIVATE KEY" not in archive.read(name), name
        assert parts[-1] not in {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}, name


def test_every_entry_has_the_same_time_and_mode_and_the_entries_are_in_order(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()

    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert {entry.create_system for entry in entries} == {3}
    assert len({entry.filename for entry in entries}) == len(entries)


def test_it_is_well_below_what_agentcore_takes(archive: zipfile.ZipFile) -> None:
    assert archive.filename
    assert Path(archive.filename).stat().st_size < 200e6
    assert sum(entry.file_size for entry in archive.infolist()) < 600e6


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for uv: writes one module instead of installing, and counts."""
    runs: list[list[str]] = []

    def install(locks: list[Path], _target: object, tree: Path) -> None:
        runs.append([lock.name for lock in locks])
        tree.mkdir()
        (tree / "module.py").write_text(" ".join(runs[-1]))

    monkeypatch.setattr(packaging, "_install", install)
    return runs


def test_it_is_built_once(installs: list[list[str]], tmp_path: Path) -> None:
    first = build_code_artefact(("light",), AGENTCORE, tmp_path)
    second = build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert first == second
    assert len(installs) == 1


def test_another_lock_is_another_artefact(installs: list[list[str]], tmp_path: Path) -> None:
    assert build_code_artefact(("light",), AGENTCORE, tmp_path) != build_code_artefact(
        ("litellm",), AGENTCORE, tmp_path
    )
    assert installs == [["light.lock"], ["litellm.lock"]]


def test_a_change_of_the_handler_is_another_artefact(
    installs: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = tmp_path / "agent_runtime"
    (sources / "requirements").mkdir(parents=True)
    (sources / "requirements" / "light.lock").write_text("lock")
    (sources / "main.py").write_text("one = 1")
    monkeypatch.setattr(packaging, "_SOURCES", sources)

    before = build_code_artefact(("light",), AGENTCORE, tmp_path)
    (sources / "main.py").write_text("two = 2")
    after = build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert before.sha256 != after.sha256
    assert len(installs) == 2


def test_a_build_that_was_cut_off_is_not_taken_for_a_whole_one(installs: list[list[str]], tmp_path: Path) -> None:
    whole = build_code_artefact(("light",), AGENTCORE, tmp_path)
    whole.path.write_bytes(b"half a zip")
    whole.path.with_suffix(".sha256").unlink()  # the stamp is written last

    again = build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert again.sha256 == whole.sha256
    assert zipfile.is_zipfile(again.path)
    assert len(installs) == 2


def test_no_scratch_stays_behind(installs: list[list[str]], tmp_path: Path) -> None:
    build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert sorted(path.suffix for path in (tmp_path / "artefacts").iterdir()) == ["", ".sha256", ".zip"]


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("error sending request for url", "Is the package index reachable from here?"),
        ("No space left on device (os error 28)", "Free some disk, or name another folder with STRANDLINE_HOME."),
    ],
)
def test_what_uv_says_is_passed_on_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, mend: str
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(packaging.subprocess, "run", run)

    with pytest.raises(EnvironmentFault) as fault:
        build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert said in str(fault.value)
    assert str(fault.value).endswith(mend)


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        (
            "In `--require-hashes` mode, all requirements must have a hash, but none were provided for: six",
            "made again",
        ),
        (
            "Because mkl==2024.2.2 has no wheels with a matching platform tag (e.g., `manylinux_2_28_aarch64`)",
            "aarch64.",
        ),
        ("Because a==1 has no usable wheels and building from source is disabled", "has a wheel for manylinux"),
    ],
)
def test_packages_of_the_user_that_cannot_run_there_are_the_users_to_mend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, mend: str
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(packaging.subprocess, "run", run)

    with pytest.raises(InputError) as fault:
        build_code_artefact(("light",), AGENTCORE, tmp_path)

    assert said in str(fault.value)
    assert mend in str(fault.value)


def test_a_full_disk_is_a_clear_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(packaging, "_build", no_room)

    with pytest.raises(EnvironmentFault, match=r"No space left on device.*free some disk.*STRANDLINE_HOME"):
        build_code_artefact(("light",), AGENTCORE, tmp_path)


def test_a_folder_that_cannot_be_written_is_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "artefacts").write_text("a file where the folder should be")

    with pytest.raises(EnvironmentFault, match=r"cannot be written to .*artefacts"):
        build_code_artefact(("light",), AGENTCORE, tmp_path)


def test_more_than_agentcore_takes_is_refused_before_it_is_uploaded(
    installs: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packaging, "_MAXIMUM_UNPACKED_BYTES", 10)

    with pytest.raises(EnvironmentFault, match="AgentCore takes 250 MB and 750 MB"):
        build_code_artefact(("light",), AGENTCORE, tmp_path)
