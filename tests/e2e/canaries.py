"""Looking for the values of secrets in what a test has left behind."""

from __future__ import annotations

import base64
import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.conftest import Project

Forms = dict[str, set[bytes]]
"""What to look for, by name of the secret."""


def forms_of(values: Mapping[str, str]) -> Forms:
    """Values in the forms in which a leak would show."""
    forms = {}
    for name, value in values.items():
        raw = value.encode()
        forms[name] = {raw, base64.b64encode(raw).rstrip(b"="), raw.hex().encode(), urllib.parse.quote(value).encode()}
    return forms


def hits(forms: Forms, content: bytes, where: str) -> list[str]:
    """Whose values stand in a content."""
    return [f"{name} in {where}" for name, known in forms.items() if any(form in content for form in known)]


def hits_in_files(forms: Forms, project: Project) -> list[str]:
    """Whose values stand in files: cloud assembly, templates, logs of whatever ran, and the user's own folder."""
    shared = {(project.home / name).resolve() for name in ("venvs", "artefacts")}
    found, read = [], 0
    for top in (project.home, project.folder):
        for folder, names, files in os.walk(top):
            names[:] = [name for name in names if (Path(folder) / name).resolve() not in shared]
            for path in (Path(folder) / name for name in files):
                if path.is_file():
                    found += hits(forms, path.read_bytes(), str(path))
                    read += 1
    assert read > 20
    return found
