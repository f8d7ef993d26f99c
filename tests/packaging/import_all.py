"""Imports every module of a folder and tells how each went; a program for the target's own Python.

`python -I -S -B import_all.py <folder> <result.json>`
"""

import contextlib
import importlib
import importlib.machinery
import io
import json
import os
import sys
import warnings
from pathlib import Path


def modules_in(folder: Path) -> list[str]:
    names = set()
    for file in folder.rglob("*"):
        suffix = next((s for s in importlib.machinery.all_suffixes() if file.name.endswith(s)), None)
        if suffix is None or file.suffix == ".pyc":
            continue
        steps = [*file.relative_to(folder).parts[:-1], file.name.removesuffix(suffix)]
        # A package's `__main__` is a program.
        if steps[-1] == "__init__":
            steps.pop()
        if steps and steps[-1] != "__main__" and all(step.isidentifier() for step in steps):
            names.add(".".join(steps))
    return sorted(names)


def main() -> None:
    folder, result = Path(sys.argv[1]), Path(sys.argv[2])
    compiled = []
    compile_source = importlib.machinery.SourceFileLoader.source_to_code

    def note(self, data, path, **options):
        compiled.append(str(path))
        return compile_source(self, data, path, **options)

    importlib.machinery.SourceFileLoader.source_to_code = note
    sys.path.insert(0, str(folder))
    if (folder / "bytecode").is_dir():
        importlib.import_module("agent_runtime.packed_bytecode").install(str(folder))
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(10_000)
    faults = {}
    names = modules_in(folder)
    for name in names:
        # Some greet whoever imports them, and some end the process.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                importlib.import_module(name)
            except BaseException as error:
                faults[name] = f"{type(error).__name__}: {getattr(error, 'name', None)}"
    result.write_text(json.dumps({"modules": names, "faults": faults, "compiled": compiled}))
    # Threads of libraries are nothing to wait for.
    os._exit(0)


if __name__ == "__main__":
    main()
