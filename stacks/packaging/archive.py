"""The zip file: entries in order, without the time, the owner or the machine of the build.

Python's own zip module leaves the compression to whatever zlib the interpreter is linked to, and zlib-ng, which some
distributions ship in its place, gives other bytes. libdeflate comes with our own dependency, and is faster.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterable

SMALL, FAST = 9, 1
"""Levels of the compression: of what is sent to AWS, and of what stays on this machine."""

_STORED, _DEFLATED = 0, 8
_UTF8_NAMES = 0x800
_VERSION = 20
_UNIX = 3
_FILE_MODE = 0o100644 << 16
_EARLIEST_DATE = (1 << 5) | 1  # 1 January 1980, where the format's years begin
_MOST_ENTRIES = 0xFFFF
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive.

    Attributes:
        name: Its path, with slashes.
        size: Bytes when unpacked.
        crc: CRC-32 of these.
        method: How it is packed.
        packed: The packed bytes.
    """

    name: str
    size: int
    crc: int
    method: int
    packed: bytes

    @classmethod
    def of(cls, name: str, content: bytes, level: int = SMALL) -> Entry:
        """Packs a file."""
        import deflate

        packed = bytes(deflate.deflate_compress(content, level))
        if len(packed) >= len(content):
            return cls(name, len(content), zlib.crc32(content), _STORED, content)
        return cls(name, len(content), zlib.crc32(content), _DEFLATED, packed)


def pack(tree: Path, level: int = SMALL) -> list[Entry]:
    """Packs every file of a folder.

    Args:
        tree: The folder.
        level: Level of the compression.

    Returns:
        The entries.
    """
    files = [file for file in tree.rglob("*") if file.is_file()]
    return [Entry.of(file.relative_to(tree).as_posix(), file.read_bytes(), level) for file in files]


def write(entries: Iterable[Entry], path: Path) -> None:
    """Writes an archive; the order of the entries does not count.

    Args:
        entries: The files, each name once.
        path: The zip file.

    Raises:
        EnvironmentFault: There are more files than the format takes.
    """
    ordered = sorted(entries, key=lambda entry: entry.name)
    if len(ordered) >= _MOST_ENTRIES:
        raise EnvironmentFault(
            f"The code artefact has {len(ordered):,} files, and a zip takes 65,534: use fewer packages."
        )
    directory = []
    with path.open("wb") as file:
        for entry in ordered:
            name = entry.name.encode()
            common = (
                _UTF8_NAMES,
                entry.method,
                0,
                _EARLIEST_DATE,
                entry.crc,
                len(entry.packed),
                entry.size,
                len(name),
                0,
            )
            offset = file.tell()
            file.write(_LOCAL_HEADER.pack(b"PK\3\4", _VERSION, *common) + name + entry.packed)
            made_by = (_UNIX << 8) | _VERSION
            directory.append(
                _CENTRAL_HEADER.pack(b"PK\1\2", made_by, _VERSION, *common, 0, 0, 0, _FILE_MODE, offset) + name
            )
        start, content, count = file.tell(), b"".join(directory), len(directory)
        file.write(content + _END.pack(b"PK\5\6", 0, 0, count, count, len(content), start, 0))


def read(path: Path) -> list[Entry]:
    """Reads an archive that `write` made, without unpacking it.

    Args:
        path: The zip file.

    Returns:
        The entries.
    """
    content = path.read_bytes()
    entries = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            start = info.header_offset + _LOCAL_HEADER.size + len(info.filename.encode())
            packed = content[start : start + info.compress_size]
            entries.append(Entry(info.filename, info.file_size, info.CRC, info.compress_type, packed))
    return entries
