"""Native libraries that AgentCore could not load are refused by name, whatever their wheel calls itself."""

from __future__ import annotations

import ctypes.util
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from agent_runtime.errors import InputError
from stacks.packaging import AGENTCORE, HOST, elf
from stacks.packaging.binaries import check_binaries
from stacks.packaging.target import Target

PYDANTIC_CORE = next(
    path for folder in sys.path for path in Path(folder).glob("pydantic_core/_pydantic_core*.so") if path.exists()
)
"""A real library of this machine."""


def library(*, machine: int = elf.AARCH64, glibc: tuple[str, ...] = ()) -> bytes:
    """An ELF file with a section of needed versions, as small as it gets."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in glibc)
    offsets = [1 + sum(len(name) + 1 for name in glibc[:index]) for index in range(len(glibc))]
    needed = struct.pack("<HHIII", 1, len(glibc), 0, 16, 0)
    for index, offset in enumerate(offsets):
        needed += struct.pack("<IHHII", 0, 0, 0, offset, 16 if index + 1 < len(offsets) else 0)
    strings_at, needed_at = 64, 64 + len(names)
    sections_at = needed_at + len(needed)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, machine, 1)
    header += struct.pack("<QQQIHHHHHH", 0, 0, sections_at if glibc else 0, 0, 64, 56, 0, 64, 2 if glibc else 0, 0)
    sections = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, strings_at, len(names), 0, 0, 1, 0)
    sections += struct.pack("<IIQQQQIIQQ", 0, 0x6FFFFFFE, 0, 0, needed_at, len(needed), 0, 1, 1, 0)
    return header + names + needed + sections


def put(tree: Path, name: str, content: bytes) -> Path:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return tree


def test_what_runs_on_graviton_is_taken(tmp_path: Path) -> None:
    put(tmp_path, "package/fast.so", library(glibc=("GLIBC_2.17", "GLIBC_2.28", "GCC_3.0")))
    put(tmp_path, "package/data.bin", b"\x7fELV")
    put(tmp_path, "package/short", b"\x7f")

    check_binaries(tmp_path, AGENTCORE)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "package/fast.so",
            library(machine=62),
            r"package/fast\.so is for x86-64\. Name another version of its package",
        ),
        ("package/bin/tool", library(machine=40), "package/bin/tool is for 32-bit ARM"),
        ("user_tools/data", library(machine=3), "user_tools/data is for x86"),
        ("a.so", library(glibc=("GLIBC_2.17", "GLIBC_2.34")), r"needs glibc 2\.34, and wheels may count on 2\.28"),
        ("a.so", library(glibc=("GLIBC_2.28.1",)), r"needs glibc 2\.28\.1"),
        ("a.so", b"\x7fELF\x02\x01", r"a\.so is damaged"),
        ("a.so", library(glibc=("GLIBC_2.17",))[:-80], r"a\.so is damaged"),
    ],
)
def test_what_does_not_is_refused_by_name(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_binaries(put(tmp_path, name, content), AGENTCORE)


def test_the_first_five_are_named(tmp_path: Path) -> None:
    for index in range(7):
        put(tmp_path, f"{index}.so", library(machine=62))

    with pytest.raises(InputError, match=r"4\.so is for x86-64 \(and 2 more\)"):
        check_binaries(tmp_path, AGENTCORE)


@pytest.mark.skipif(platform.system() != "Linux", reason="libraries of this machine are no ELF files")
def test_a_real_library_of_this_machine_is_read_as_it_is(tmp_path: Path) -> None:
    content = PYDANTIC_CORE.read_bytes()
    here = {"x86_64": 62, "aarch64": 183}[platform.machine()]

    assert elf.machine_of(content) == here
    assert (2, 2) < elf.newest_c_library(content) < (3,)
    check_binaries(put(tmp_path, "real.so", content), HOST)
    if here != elf.AARCH64:
        with pytest.raises(InputError, match=r"real\.so is for x86-64"):
            check_binaries(tmp_path, AGENTCORE)


@pytest.mark.skipif(platform.system() != "Linux", reason="libraries of this machine are no ELF files")
def test_a_stripped_library_is_smaller_and_loads(tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler:
        (tmp_path / "one.c").write_text("int one(void) { return 1; }\n")
        command = [compiler, "-g", "-shared", "-fPIC", "-o", str(tmp_path / "one.so"), str(tmp_path / "one.c")]
        subprocess.run(command, check=True)
        content = (tmp_path / "one.so").read_bytes()
    else:
        content = PYDANTIC_CORE.read_bytes()
    (tmp_path / "stripped.so").write_bytes(elf.stripped(content))

    assert len(elf.stripped(content)) < len(content)
    loaded = ctypes.CDLL(str(tmp_path / "stripped.so"))
    if compiler:
        assert loaded.one() == 1


def test_what_is_for_another_kind_of_machine_is_not_stripped() -> None:
    big_endian = b"\x7fELF\x02\x02" + bytes(100)

    assert elf.stripped(big_endian) == big_endian


def test_the_newest_c_library_follows_the_platform() -> None:
    assert AGENTCORE.platform.endswith("manylinux_2_28")
    assert Target("host", "3.13").is_host
