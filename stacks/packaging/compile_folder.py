"""Compiles modules to bytecode; a program for the target's own interpreter, never imported: it uses nothing of ours.

Bytecode depends on what the process did before: the compiler shares strings with whatever else the process holds, and
that shows in the file. So the modules of each folder are compiled by a copy of this process that did nothing yet.
"""

import gc
import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from marshal import dumps

# PEP 552: bytecode with the hash of its source that nobody compares. Nobody edits an artefact, and unpacking a zip sets
# times that a comparison of times would stumble over.
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")


def compile_modules(root: str, names: list[str]) -> None:
    """Compiles modules beside their sources; what the language cannot parse is left to whoever imports it.

    Args:
        root: Root of the artefact.
        names: Paths of the modules, relative to the root.
    """
    for name in names:
        with open(f"{root}/{name}", "rb") as file:  # noqa: PTH123 - pathlib costs more than the compiler here
            source = file.read()
        try:
            code = SourceFileLoader("artefact", name).source_to_code(source, name)
        except (SyntaxError, ValueError, RecursionError):
            continue
        compiled = f"{root}/{cache_from_source(name)}"
        os.makedirs(os.path.dirname(compiled), exist_ok=True)  # noqa: PTH103, PTH120
        with open(compiled, "wb") as file:  # noqa: PTH123
            file.write(MAGIC_NUMBER + _UNCHECKED_HASH + source_hash(source) + dumps(code))


def main() -> int:
    """Reads the modules from standard input, those of one folder on each line, separated by NUL."""
    # A collection at another moment would leave other counts of references, which show in the file too.
    gc.disable()
    root = sys.argv[1]
    for line in sys.stdin.read().splitlines():
        child = os.fork()
        if child == 0:
            try:
                compile_modules(root, line.split("\0"))
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1]:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
