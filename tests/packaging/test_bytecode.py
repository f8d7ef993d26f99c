"""Bytecode depends on the sources and on the compiler's release, and on nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent_runtime.errors import EnvironmentFault
from stacks.packaging import HOST, bytecode
from stacks.packaging.bytecode import compile_tree
from stacks.packaging.interpreter import Interpreter, interpreter_for

SOURCES = Path(bytecode.__file__).parent
AWKWARD = '''
"""A docstring."""
import enum, typing
class Outer:
    def method(self):
        class Inner:
            text, other = "Outer.method.<locals>.Inner", "some_name"
            letters = {"b", "a", "c"} and {"x y", "z", 3.5, None} & frozenset({"some_name", "p q"})
        return Inner, lambda: "Outer.method.<locals>.<lambda>"
def loop(rows):
    for a, b in rows:
        try:
            yield f"{a!r:>{b}}" if a in {"b", "a", "c"} else 1_000_000 ** 2
        finally:
            del a
'''


def tree_of(folder: Path) -> Path:
    """Our own packaging, some folders of the standard library and a module that looks for trouble."""
    library = Path(os.__file__).parent
    shutil.copytree(SOURCES, folder / "packaging", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("email", "json", "asyncio"):
        shutil.copytree(library / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "awkward.py").write_text(AWKWARD)
    (folder / "not_python.py").write_text("{% if template %}\n")
    return folder


def compiled(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.pyc")}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tree_of(tmp_path_factory.mktemp("here"))
    compile_tree(folder, interpreter_for(HOST))
    return compiled(folder)


def test_another_folder_and_number_of_processors_give_the_same_bytecode(
    here: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree_of(tmp_path / "a" / "longer path")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setenv("PYTHONHASHSEED", "3")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")

    compile_tree(folder, interpreter_for(HOST))

    assert len(here) > 60
    assert compiled(folder) == here


def test_what_else_is_compiled_does_not_show(here: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "awkward.py").write_text(AWKWARD)

    compile_tree(folder, interpreter_for(HOST))

    name = f"__pycache__/awkward.{sys.implementation.cache_tag}.pyc"
    assert compiled(folder)[name] == here[name]


def test_a_module_that_is_no_python_is_left_to_whoever_imports_it(here: dict[str, bytes]) -> None:
    assert not [name for name in here if "not_python" in name]


def test_it_runs_where_it_was_not_compiled_and_tells_its_own_path(tmp_path: Path) -> None:
    built, used = tmp_path / "built", tmp_path / "used"
    built.mkdir()
    (built / "module.py").write_text("def where():\n    return where.__code__.co_filename\n")
    compile_tree(built, interpreter_for(HOST))
    shutil.move(built, used)
    (used / "module.py").write_text("raise AssertionError('compiled anew')\n")  # newer, and other bytes

    program = "import sys; sys.path.insert(0, '.'); import module; print(module.where())"
    done = subprocess.run([sys.executable, "-c", program], cwd=used, capture_output=True, text=True, check=False)

    assert done.stdout.strip().endswith("module.py"), done.stderr
    assert "built" not in done.stdout


def test_another_patch_release_may_compile_otherwise_so_the_compiler_is_pinned(
    here: dict[str, bytes], tmp_path: Path
) -> None:
    system = Path("/usr/bin") / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not system.exists():
        pytest.skip(f"one patch release of Python {HOST.python} is installed; a second one would be {system}")
    folder = tree_of(tmp_path / "tree")

    compile_tree(folder, Interpreter(system, "another"))

    # The format is the same, and so are most modules: what differs is the compiler's own mending.
    other = compiled(folder)
    same = {name for name in here if other[name] == here[name]}
    assert other.keys() == here.keys()
    assert {content[:16] for content in other.values()} == {content[:16] for content in here.values()}
    assert len(same) > 0.9 * len(here)


def test_a_compiler_that_dies_is_told(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("one = 1")

    with pytest.raises(EnvironmentFault, match=r"Python 3\.13\.0 at .*false fails to compile"):
        compile_tree(tmp_path, Interpreter(Path("/bin/false"), "3.13.0"))
