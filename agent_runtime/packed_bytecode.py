"""Imports modules from one file with the bytecode of them all.

A start imports a thousand modules. From a cold disk each is a look-up of its own, and together they take as long as all
else; one file is read ahead in a single go. Sources stay where they are, for tracebacks and for libraries that read
their own. This module is imported before all others, so it imports none of ours.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

FOLDER = "bytecode"
"""Where in the code artefact these files are."""
HEADER_BYTES = 8
"""What a file begins with: the sizes of the index and of what a start imports, in four bytes each, little-endian.

The index is JSON: the module's name to its source's path below the root of the artefact, and the place and size of its
bytecode behind the index, as a `.pyc` file has it. What a start imports comes first."""


class PackedModules:
    """Finds the modules of one such file; of all others it knows nothing. A finder as `sys.meta_path` takes them.

    Args:
        root: Root of the code artefact.
        path: The file.
    """

    def __init__(self, root: str, path: str) -> None:
        self._root = root
        self._file = os.open(path, os.O_RDONLY)
        header = os.pread(self._file, HEADER_BYTES, 0)
        size, ahead = int.from_bytes(header[:4], "little"), int.from_bytes(header[4:], "little")
        self._start = HEADER_BYTES + size
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file, 0, self._start + ahead, os.POSIX_FADV_WILLNEED)
        self._index: dict[str, tuple[str, int, int]] = json.loads(os.pread(self._file, size, HEADER_BYTES))

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds a module (Python's `importlib.abc.MetaPathFinder`)."""
        if name not in self._index:
            return None
        source = f"{self._root}/{self._index[name][0]}"
        return spec_from_file_location(name, source, loader=_PackedLoader(name, source, self))

    def bytecode(self, name: str) -> bytes:
        """Reads the bytecode of a module of the file."""
        _, offset, size = self._index[name]
        return os.pread(self._file, size, self._start + offset)


class _PackedLoader(SourceFileLoader):
    """What Python does with a source and the `.pyc` file beside it, but that the latter is packed."""

    def __init__(self, name: str, path: str, modules: PackedModules) -> None:
        super().__init__(name, path)
        self._modules = modules

    def path_stats(self, path: str) -> Mapping[str, float]:
        # Bytecode of an artefact is compared with no time; without this each source would be looked up.
        return {"mtime": 0, "size": 0}

    def get_data(self, path: str) -> bytes:
        return self._modules.bytecode(self.name) if path.endswith(".pyc") else super().get_data(path)


def install(root: str) -> None:
    """Lets imports look into the files first; without any, imports go on as ever.

    Args:
        root: Root of the code artefact.
    """
    try:
        names = sorted(os.listdir(f"{root}/{FOLDER}"))  # noqa: PTH208 - pathlib is not needed yet
    except FileNotFoundError:
        return
    sys.meta_path[:0] = [PackedModules(root, f"{root}/{FOLDER}/{name}") for name in names]
