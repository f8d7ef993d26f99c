"""The artefact's bytecode: the same bytes on every machine that has the same interpreter."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from agent_runtime.packed_bytecode import FOLDER

if TYPE_CHECKING:
    from stacks.packaging.interpreter import Interpreter

_PROGRAM = Path(__file__).with_name("compile_folder.py")
START_MODULES = Path(__file__).with_name("start_modules.txt")
"""What the plain agent imports until it is healthy (`make start-modules`): a hint for the order, and nothing more."""
_CACHE = "__pycache__"
# What runs before the packed bytecode can be read.
_READERS = ("agent_runtime/__init__.py", "agent_runtime/packed_bytecode.py", "main.py")


def compile_tree(tree: Path, interpreter: Interpreter) -> None:
    """Compiles every module of a tree, on all processors.

    The paths in the bytecode are relative to the tree; whoever imports a module puts in its own.

    Args:
        tree: Root of the artefact.
        interpreter: The Python that compiles.

    Raises:
        EnvironmentFault: The compiler died.
    """
    folders: defaultdict[Path, list[str]] = defaultdict(list)
    for module in sorted(tree.rglob("*.py")):
        folders[module.parent].append(module.relative_to(tree).as_posix())
    shares: list[list[list[str]]] = [[] for _ in range(os.cpu_count() or 1)]
    for names in sorted(folders.values(), key=len, reverse=True):
        min(shares, key=lambda share: sum(map(len, share))).append(names)
    # No site and no variable of the caller: nothing but the interpreter itself may show in what it compiles. Columns
    # are left out of its tables: a fifth of what it packs to, and no more than the marks under a line of a traceback.
    # The paths of libraries are for a Python that was installed beside its own.
    variables = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    variables["PYTHONHASHSEED"] = "0"
    command = [str(interpreter.path), "-s", "-S", "-X", "no_debug_ranges", "-W", "ignore", str(_PROGRAM), str(tree)]

    def run(share: list[list[str]]) -> int:
        names = "\n".join("\0".join(folder) for folder in share)
        return subprocess.run(command, input=names, env=variables, text=True, check=False).returncode

    with ThreadPoolExecutor(len(shares)) as pool:
        if any([*pool.map(run, shares)]):
            raise EnvironmentFault(
                f"Python {interpreter.version} at {interpreter.path} fails to compile the code artefact."
            )


def pack_bytecode(tree: Path, name: str, *, keep: bool) -> None:
    """Puts the bytecode of a compiled tree into one file, which `agent_runtime.packed_bytecode` reads.

    Args:
        tree: Root of the artefact.
        name: The file's name in the folder of such files.
        keep: Whether it stays beside the sources too, for programs other than the handler that import from the tree.
    """
    # In this order a package comes after a module of its name, and takes its place as Python has it.
    files = sorted(tree.rglob(f"{_CACHE}/*.pyc"), key=lambda path: _source_of(path.relative_to(tree)))
    compiled = {_module_of(path.relative_to(tree)): path for path in files}
    if not compiled:
        return
    at_start = set(START_MODULES.read_text().split())
    index: dict[str, tuple[str, int, int]] = {}
    packed = bytearray()
    ahead = 0
    for module in sorted(compiled, key=lambda module: (module not in at_start, module)):
        bytecode = compiled[module].read_bytes()
        index[module] = (_source_of(compiled[module].relative_to(tree)), len(packed), len(bytecode))
        packed += bytecode
        ahead = len(packed) if module in at_start else ahead
    if not keep:
        _remove_caches(tree)
    head = json.dumps(index, separators=(",", ":")).encode()
    sizes = len(head).to_bytes(4, "little") + ahead.to_bytes(4, "little")
    file = tree / FOLDER / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(sizes + head + packed)


def _source_of(compiled: Path) -> str:
    return (compiled.parent.parent / f"{compiled.name.partition('.')[0]}.py").as_posix()


def _module_of(compiled: Path) -> str:
    steps = _source_of(compiled).removesuffix(".py").split("/")
    return ".".join(steps[:-1] if steps[-1] == "__init__" else steps)


def _remove_caches(tree: Path) -> None:
    for cache in [*tree.rglob(_CACHE)]:
        for compiled in cache.iterdir():
            if _source_of(compiled.relative_to(tree)) not in _READERS:
                compiled.unlink()
        if not any(cache.iterdir()):
            cache.rmdir()
