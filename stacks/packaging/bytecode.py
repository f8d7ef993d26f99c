"""The artefact's bytecode: the same bytes on every machine that has the same interpreter."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from stacks.packaging.interpreter import Interpreter

_PROGRAM = Path(__file__).with_name("compile_folder.py")


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
