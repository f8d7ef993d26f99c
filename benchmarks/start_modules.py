"""Writes down what the plain agent imports until it is healthy: `python -m benchmarks.start_modules`."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.serving import free_port, handler_variables, started, unpacked, write_bundle
from stacks.packaging.bytecode import START_MODULES
from tests.runtime.aws_server import AwsServer

_MARK = "import time:"


def main() -> None:
    """Starts the light handler under `-X importtime` and keeps the names of modules that are in its artefact."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        aws = stack.enter_context(AwsServer())
        tree = unpacked(("light", "otel"), scratch / "tree")
        port = free_port()
        bundle = write_bundle(scratch / "blueprints", "http://127.0.0.1:9/v1", client="openai")
        command = [sys._base_executable, "-X", "importtime", "main.py"]  # type: ignore[attr-defined]
        log = scratch / "log"
        with started(command, port, "/ping", log, cwd=tree, env=handler_variables(aws, bundle, port)):
            told = log.read_text()
        imported = {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith(_MARK)}
        found = sorted(name for name in imported if _is_in(tree, name))
    START_MODULES.write_text("\n".join(found) + "\n")
    print(f"{len(found)} modules")


def _is_in(tree: Path, module: str) -> bool:
    path = tree.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


if __name__ == "__main__":
    main()
