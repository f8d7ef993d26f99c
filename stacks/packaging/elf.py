"""Native programs and libraries, read from their own headers: what machine they are for, and what they need of it.

The format is that of the System V ABI; the versions of the C library are in the section `SHT_GNU_verneed` (Linux
Standard Base, "Symbol Versioning").
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x7fELF"
AARCH64 = 183

_NAMES = {3: "x86", 8: "MIPS", 21: "PowerPC", 22: "S390", 40: "32-bit ARM", 62: "x86-64", 183: "aarch64", 243: "RISC-V"}
_LITTLE_ENDIAN_64 = b"\x02\x01"
_BIG_ENDIAN = 2
_NEEDED_VERSIONS = 0x6FFFFFFE


class DamagedError(Exception):
    """Raised when a file begins like one of these and does not go on so."""


def machine_of(content: bytes) -> int:
    """Gives the number of the machine that a file is for."""
    if len(content) < 20:  # noqa: PLR2004 - up to and with the machine
        raise DamagedError
    return int.from_bytes(content[18:20], "big" if content[5] == _BIG_ENDIAN else "little")


def name_of(machine: int) -> str:
    """Gives the name of a machine."""
    return _NAMES.get(machine, f"machine {machine}")


def newest_c_library(content: bytes) -> tuple[int, ...]:
    """Gives the newest version of glibc that a file asks the loader for.

    Args:
        content: The file, of a 64-bit little-endian machine.

    Returns:
        The version; empty if it asks for none.

    Raises:
        DamagedError: The file cannot be read.
    """
    try:
        return max(_c_library_versions(content), default=())
    except (struct.error, ValueError):
        raise DamagedError from None


def stripped(content: bytes) -> bytes:
    """Leaves out what only linkers and debuggers read: symbols, debug information and the table of sections.

    The loader reads what the program headers name. Where that ends, the file is cut.

    Args:
        content: The file.

    Returns:
        The file without it; unchanged for a machine that is not 64-bit little-endian.
    """
    if content[4:6] != _LITTLE_ENDIAN_64 or len(content) < 64:  # noqa: PLR2004 - the header
        return content
    start, size, count = struct.unpack_from("<Q", content, 32)[0], *struct.unpack_from("<HH", content, 54)
    end = start + size * count
    for index in range(count):
        offset, length = struct.unpack_from("<8xQ16xQ", content, start + size * index)
        end = max(end, offset + length)
    header = bytearray(content[:end])
    struct.pack_into("<Q", header, 40, 0)
    struct.pack_into("<HHH", header, 58, 0, 0, 0)
    return bytes(header)


def _c_library_versions(content: bytes) -> Iterator[tuple[int, ...]]:
    sections = _sections(content)
    for kind, offset, link in sections:
        if kind != _NEEDED_VERSIONS:
            continue
        if link >= len(sections):
            raise DamagedError
        strings = sections[link][1]
        for name in _names_of_versions(content, offset):
            end = content.index(b"\0", strings + name)
            if version := re.fullmatch(rb"GLIBC_(\d+(?:\.\d+)*)", content[strings + name : end]):
                yield tuple(int(number) for number in version[1].split(b"."))


def _sections(content: bytes) -> list[tuple[int, int, int]]:
    """Type, offset and link of each section."""
    start, size, count = struct.unpack_from("<Q", content, 40)[0], *struct.unpack_from("<HH", content, 58)
    if not start:
        return []  # without its sections, which the loader needs none of
    return [struct.unpack_from("<4xI16xQ8xI", content, start + size * index) for index in range(count)]


def _names_of_versions(content: bytes, offset: int) -> Iterator[int]:
    while True:
        _, count, _, auxiliary, following = struct.unpack_from("<HHIII", content, offset)
        at = offset + auxiliary
        for _ in range(count):
            _, _, _, name, step = struct.unpack_from("<IHHII", content, at)
            yield name
            at += step
        if not following:
            return
        offset += following
