"""Imports from packed bytecode are those that Python makes of the sources."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from stacks.packaging import HOST
from stacks.packaging.bytecode import compile_tree, pack_bytecode
from stacks.packaging.interpreter import interpreter_for
from tests.stacks.projects import ROOT

MODULES = {
    "plain.py": "VALUE = 1\ndef fail():\n    raise ValueError('here')\n",
    "package/__init__.py": "from package import inner\nVALUE = inner.VALUE",
    "package/inner.py": "from pathlib import Path\nVALUE = (Path(__file__).parent / 'data.txt').read_text()",
    "package/data.txt": "data",
    "both.py": "VALUE = 'module'",
    "both/__init__.py": "VALUE = 'package'",
    "space/deep.py": "VALUE = 'namespace'",
}
PROGRAM = """
import importlib, importlib.resources, inspect, json, sys, traceback
sys.path.insert(0, sys.argv[1])
from agent_runtime.packed_bytecode import install
install(sys.argv[1])
import plain, package, both, space.deep
try:
    plain.fail()
except ValueError:
    line = traceback.format_exc().splitlines()[-2].strip()
    place = plain.fail.__code__.co_filename
print(json.dumps({
    "values": [plain.VALUE, package.VALUE, both.VALUE, space.deep.VALUE],
    "loaders": sorted({type(m.__loader__).__name__ for m in (plain, package, package.inner, both, space.deep)}),
    "file": plain.__file__, "path": list(package.__path__), "name": package.inner.__spec__.parent,
    "line": line, "place": place, "source": inspect.getsource(plain.fail),
    "resource": importlib.resources.files("package").joinpath("data.txt").read_text(),
}))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    for name, text in MODULES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    sources = folder / "agent_runtime"
    sources.mkdir()
    for name in ("__init__.py", "packed_bytecode.py"):
        shutil.copyfile(ROOT / "agent_runtime" / name, sources / name)
    compile_tree(folder, interpreter_for(HOST))
    return folder


def run(tree: Path) -> dict:
    command = [sys.executable, "-I", "-S", "-B", "-c", PROGRAM, str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tree.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_modules_are_what_they_are_when_python_finds_them(tree: Path) -> None:
    unpacked = run(tree)
    pack_bytecode(tree, "all", keep=False)
    packed = run(tree)

    assert unpacked.pop("loaders") == ["SourceFileLoader"]
    assert packed.pop("loaders") == ["_PackedLoader"]
    assert packed == unpacked
    assert packed["values"] == [1, "data", "package", "namespace"]
    assert "raise ValueError" in packed["line"]


def test_what_another_python_compiled_is_compiled_again(tree: Path) -> None:
    expected = run(tree)
    pack_bytecode(tree, "all", keep=False)
    file = tree / "bytecode" / "all"
    file.write_bytes(file.read_bytes().replace(MAGIC_NUMBER, b"\0\0\r\n"))

    assert run(tree) == {**expected, "loaders": ["_PackedLoader"]}


def test_bytecode_is_kept_beside_the_sources_for_other_programs(tree: Path) -> None:
    before = set(tree.rglob("*.pyc"))

    pack_bytecode(tree, "all", keep=True)

    assert set(tree.rglob("*.pyc")) == before
    assert run(tree)["loaders"] == ["_PackedLoader"]


def test_packed_bytecode_is_the_same_wherever_it_is_made(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(tree, other)

    pack_bytecode(tree, "all", keep=False)
    pack_bytecode(other, "all", keep=False)

    assert (tree / "bytecode" / "all").read_bytes() == (other / "bytecode" / "all").read_bytes()
