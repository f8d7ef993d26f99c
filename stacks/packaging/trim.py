"""What of the wheels does not go into the artefact: what no import needs, and what differs from machine to machine."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stacks.packaging import elf

if TYPE_CHECKING:
    from collections.abc import Collection

# The handler calls these; the models of all services would be a third of the artefact.
_SERVICE_MODELS = {"bedrock-agent-runtime", "bedrock-runtime", "s3", "secretsmanager", "sso", "sso-oidc", "sts"}
# Console scripts carry the build machine's interpreter, the rest the build's time or place.
_OF_THE_BUILD = {"__pycache__", ".lock", "INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json"}
_TESTS = {"_examples", "test", "tests"}
_PAPERS = {"doc", "docs", "example", "examples"}
_UNUSED_SUFFIXES = {
    # For type checkers, C compilers, Cython, linkers, notebooks, Sphinx and Windows.
    *(".pyi", ".c", ".cc", ".cpp", ".h", ".hh", ".hpp", ".pxd", ".pxi", ".pyx", ".a", ".lib", ".la"),
    *(".ipynb", ".rst", ".dll", ".exe", ".pdb"),
    # Pictures and fonts.
    *(".avif", ".gif", ".ico", ".jpeg", ".jpg", ".png", ".svg", ".webp", ".woff", ".woff2"),
}
_UNUSED_NAMES = {"py.typed", "examples-1.json", "examples-1.json.gz"}
# Of LiteLLM's proxy: pages for browsers, which a library has no use for.
_UNUSED_FOLDERS = ("litellm/proxy/_experimental/out/", "litellm/proxy/swagger/")


def trim(tree: Path, *, ours: Collection[str], all_services: bool) -> None:
    """Removes what an artefact has no use for.

    The packages of our own locks are cut to what imports need, and a test holds that each module still imports. The
    user's packages stay as published: nobody has tried what they can do without.

    Args:
        tree: Root of the artefact.
        ours: Normalised names of the packages that our own locks bring.
        all_services: Whether the models of all AWS services stay, because the user's code may call any.
    """
    for record in tree.glob("*.dist-info/RECORD"):
        if normalised(record.parent.name.partition("-")[0]) in ours:
            _trim_package(tree, [row[0] for row in csv.reader(record.read_text().splitlines())])
    for model in (tree / "botocore" / "data").glob("*/"):
        if not all_services and model.name not in _SERVICE_MODELS:
            shutil.rmtree(model)
    shutil.rmtree(tree / "bin", ignore_errors=True)
    for found in [*tree.rglob("*")]:
        if found.name in _OF_THE_BUILD or found.suffix == ".pth":
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)


def normalised(name: str) -> str:
    """Gives a package's name as the package index compares it (PyPA specification "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _trim_package(tree: Path, names: Collection[str]) -> None:
    with_modules = {parent for name in names if name.endswith(".py") for parent in PurePosixPath(name).parents}
    for name in names:
        file = PurePosixPath(name)
        if file.parts[0] == "..":
            continue
        if _is_unused(file, with_modules):
            (tree / name).unlink(missing_ok=True)
        elif file.name == "METADATA" and file.parts[0].endswith(".dist-info"):
            # The headers; what follows them is the package's page in the index.
            headers, _, _ = (tree / name).read_text().partition("\n\n")
            (tree / name).write_text(f"{headers}\n")
        elif ".so" in file.suffixes:
            content = (tree / name).read_bytes()
            if content.startswith(elf.MAGIC):
                (tree / name).write_bytes(elf.stripped(content))


def _is_unused(file: PurePosixPath, with_modules: Collection[PurePosixPath]) -> bool:
    if file.parts[0].endswith(".dist-info"):
        return False
    if file.suffix in _UNUSED_SUFFIXES or file.name in _UNUSED_NAMES or file.as_posix().startswith(_UNUSED_FOLDERS):
        return True
    # `boto3.docs` is code that boto3 imports.
    return any(
        parent.name in _TESTS or (parent.name in _PAPERS and parent not in with_modules) for parent in file.parents
    )
