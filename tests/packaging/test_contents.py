"""What is in the artefacts that are deployed: everything that runs on Graviton, and nothing that differs by machine."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from agent_runtime.packed_bytecode import HEADER_BYTES
from stacks.packaging import AGENTCORE, CodeArtefact, build_code_artefact
from stacks.packaging.bytecode import START_MODULES
from tests.packaging.conftest import OF_MOST_AGENTS
from tests.stacks.projects import ROOT

AARCH64 = 183  # e_machine of the ELF header
# PEP 552: the magic number of Python 3.13, and a flag for a hash of the source that is not compared: unpacking a zip
# sets times.
HEADER_OF_A_PYC = (3571).to_bytes(2, "little") + b"\r\n\1\0\0\0"
PACKED = ("bytecode/packages", "bytecode/sources")
LIGHT_ZIP_MB, LIGHT_UNPACKED_MB = 25, 90


def index_of(packed: bytes) -> dict[str, tuple[str, int, int]]:
    return json.loads(packed[HEADER_BYTES : HEADER_BYTES + int.from_bytes(packed[:4], "little")])


SETS = [OF_MOST_AGENTS, *([("litellm",)] if os.environ.get("STRANDLINE_EVERY_SET") else [])]


@pytest.fixture(scope="module", params=SETS, ids="+".join)
def artefact(request: pytest.FixtureRequest) -> CodeArtefact:
    return build_code_artefact(request.param, AGENTCORE, ROOT / ".strandline")


@pytest.fixture(scope="module")
def archive(artefact: CodeArtefact) -> zipfile.ZipFile:
    return zipfile.ZipFile(artefact.path)


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


def test_every_module_has_its_bytecode_for_the_targets_python(archive: zipfile.ZipFile) -> None:
    packed = {path for file in PACKED for path, _, _ in index_of(archive.read(file)).values()}
    beside = {name for name in archive.namelist() if name.endswith(".pyc")}
    modules = {name for name in archive.namelist() if name.endswith(".py")}

    assert len(modules) > 1000
    assert packed == modules
    # What runs before the packed bytecode can be read.
    assert {PurePosixPath(name).name for name in beside} == {
        f"{name}.cpython-313.pyc" for name in ("__init__", "main", "packed_bytecode")
    }


def test_what_a_start_imports_comes_first_and_in_one_piece(archive: zipfile.ZipFile) -> None:
    at_start = set(START_MODULES.read_text().split())

    for file in PACKED:
        packed = archive.read(file)
        index = index_of(packed)
        ahead = int.from_bytes(packed[4:8], "little")
        assert {name for name, (_, offset, _) in index.items() if offset < ahead} == at_start & set(index)
        assert sum(size for _, _, size in index.values()) == len(packed) - HEADER_BYTES - int.from_bytes(
            packed[:4], "little"
        )


def test_bytecode_is_loaded_whatever_times_the_unpacked_files_have(archive: zipfile.ZipFile) -> None:
    headers = {archive.read(name)[:8] for name in archive.namelist() if name.endswith(".pyc")}
    for file in PACKED:
        packed = archive.read(file)
        start = HEADER_BYTES + int.from_bytes(packed[:4], "little")
        headers |= {packed[start + offset : start + offset + 8] for _, offset, _ in index_of(packed).values()}

    assert headers == {HEADER_OF_A_PYC}


def test_no_path_of_the_machine_that_built_it_is_in_it(archive: zipfile.ZipFile) -> None:
    # Rust's libraries hold paths of whoever built their wheels, which are the same everywhere.
    made_here = [
        name for name in archive.namelist() if name.endswith(".pyc") or name in PACKED or ".dist-info/" in name
    ]
    places = [str(ROOT).encode(), b".building-"]

    for name in made_here:
        content = archive.read(name)
        assert not [place for place in places if place in content], name


def test_nothing_is_in_it_that_differs_by_machine_or_runs_by_itself(archive: zipfile.ZipFile) -> None:
    for name in archive.namelist():
        parts = Path(name).parts
        assert parts[0] != "bin", name
        # Deeper down they are modules like any other: opentelemetry brings one for whoever asks for it.
        assert parts[0] not in {"sitecustomize.py", "usercustomize.py"}, name
        assert not {".env", ".git"} & set(parts), name
        assert not name.endswith((".pth", ".lock", ".pyi", ".pyx", ".exe")), name
        assert not name.endswith(".pem") or b"PRIVATE KEY" not in archive.read(name), name
        assert parts[-1] not in {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}, name
        assert not {"tests", "test"} & set(parts), name


def test_the_licences_of_its_packages_are_in_it(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()

    assert sum("licens" in name.lower() and ".dist-info/" in name for name in names) > 30


def test_only_the_models_of_the_services_that_the_handler_calls_are_in_it(archive: zipfile.ZipFile) -> None:
    services = {name.split("/")[2] for name in archive.namelist() if name.startswith("botocore/data/")}

    assert {"bedrock-runtime", "secretsmanager", "s3"} <= services
    assert not services & {"ec2", "iam", "sagemaker"}


def test_every_entry_has_the_same_time_and_mode_and_the_entries_are_in_order(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()

    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert {entry.create_system for entry in entries} == {3}
    assert [entry.filename for entry in entries] == sorted({entry.filename for entry in entries})


def test_it_is_well_below_what_agentcore_takes(archive: zipfile.ZipFile) -> None:
    assert archive.filename
    assert Path(archive.filename).stat().st_size < 200e6
    assert sum(entry.file_size for entry in archive.infolist()) < 600e6


def test_that_of_most_agents_is_small(artefact_of_most_agents: CodeArtefact) -> None:
    with zipfile.ZipFile(artefact_of_most_agents.path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())

    assert artefact_of_most_agents.path.stat().st_size <= LIGHT_ZIP_MB * 1e6
    assert unpacked <= LIGHT_UNPACKED_MB * 1e6


def test_its_bill_of_materials_names_what_is_in_it(artefact: CodeArtefact, archive: zipfile.ZipFile) -> None:
    bill = json.loads(artefact.sbom.read_text())
    listed = {f"{component['name']}-{component['version']}" for component in bill["components"]}
    found = {name.partition(".dist-info/")[0] for name in archive.namelist() if ".dist-info/" in name}

    assert {name.lower().replace("_", "-").replace(".", "-") for name in found} == {
        name.replace(".", "-") for name in listed
    }
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": artefact.sha256}]
