"""The zip file, written by ourselves: every reader of zips reads it, and nothing of the machine is in it."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from agent_runtime.errors import EnvironmentFault
from stacks.packaging import archive
from stacks.packaging.archive import Entry

FILES = {
    "main.py": b"print('one')\n" * 50,
    "empty/__init__.py": b"",
    "data/größe.json": b'{"a": 1}' * 20,
    "data/random.bin": bytes(range(256)),  # does not get smaller
    "big.bin": b"abc" * 700_000,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "made.zip"
    archive.write([Entry.of(name, content) for name, content in FILES.items()], made)
    return made


def test_python_reads_it(path: Path) -> None:
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == FILES
        assert opened.namelist() == sorted(FILES)
        assert {entry.external_attr >> 16 for entry in opened.infolist()} == {0o100644}


def test_the_systems_own_unzip_reads_it(path: Path, tmp_path: Path) -> None:
    unzip = shutil.which("unzip") or shutil.which("bsdtar")
    if not unzip:
        pytest.skip("no unzip on this machine")
    options = ["-qq", "-d", "out"] if unzip.endswith("unzip") else ["-xf"]
    command = (
        [unzip, *options[:1], str(path), *options[1:]] if unzip.endswith("unzip") else [unzip, *options, str(path)]
    )

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert {file.name for file in tmp_path.rglob("*.py")} == {"main.py", "__init__.py"}


def test_what_was_written_is_read_back_packed_as_it_was(path: Path, tmp_path: Path) -> None:
    entries = archive.read(path)
    again = tmp_path / "again.zip"

    archive.write(reversed(entries), again)

    assert again.read_bytes() == path.read_bytes()


def test_a_folder_is_packed_without_times_and_modes(tmp_path: Path) -> None:
    for folder, mode in (("one", 0o600), ("two", 0o755)):
        for name, content in FILES.items():
            file = tmp_path / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(mode)
        archive.write(archive.pack(tmp_path / folder), tmp_path / f"{folder}.zip")

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_more_files_than_the_format_takes_are_refused(tmp_path: Path) -> None:
    entries = [Entry(str(number), 0, 0, 0, b"") for number in range(65_535)]

    with pytest.raises(EnvironmentFault, match="65,535 files, and a zip takes 65,534"):
        archive.write(entries, tmp_path / "never.zip")
