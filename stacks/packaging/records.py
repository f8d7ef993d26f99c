"""What wheels say of their files, each with its hash (PyPA specification "Recording installed projects")."""

from __future__ import annotations

import base64
import csv
import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SHA256 = "sha256="


def altered_files(tree: Path) -> dict[str, str]:
    """Tells which installed files are not what their wheels hold.

    Args:
        tree: A folder into which wheels were installed, and nothing else was written.

    Returns:
        The package of each, by its path in the folder, sorted; also of files that are gone.
    """
    # Packages that share a file, such as a namespace's `__init__.py`, each record their own.
    recorded: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for record in tree.glob("*.dist-info/RECORD"):
        package = record.parent.name.partition("-")[0]
        with record.open(newline="", encoding="utf-8") as rows:
            for name, digest, *_ in csv.reader(rows):
                if digest.startswith(_SHA256):
                    recorded[name][digest.removeprefix(_SHA256)] = package
    return {
        name: next(iter(packages.values()))
        for name, packages in sorted(recorded.items())
        if _digest(tree / name) not in packages
    }


def _digest(file: Path) -> str | None:
    if not file.is_file():
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
