"""The stand-in for Prisma's engine, built once: Prisma's own is a binary of a site that many machines cannot reach.

It is a fixture of tests. The client that LiteLLM speaks to it with is the real one, generated from LiteLLM's schema.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import uv

from strandline.toolchain import node_bin

_HERE = Path(__file__).parent
_STAMP = ".strandline-complete"
# The commit of Prisma 5.17.0, which the Python client expects `query-engine --version` to tell.
_ENGINE = "393aa359c9ad4a4bb28630fb5613f9c281cde053"


@dataclass(frozen=True)
class PrismaStandIn:
    """Where the parts lie.

    Attributes:
        folder: All of it.
    """

    folder: Path

    @property
    def packages(self) -> Path:
        """What a proxy needs on its PYTHONPATH: the generated client."""
        return self.folder / "python"

    @property
    def programs(self) -> Path:
        """What it needs first on its PATH: a `prisma` that finds nothing to migrate."""
        return self.folder / "bin"

    @property
    def engine(self) -> Path:
        """The program that stands in for the query engine."""
        return self.programs / "query-engine"


def ensure_prisma(python: Path, home: Path) -> PrismaStandIn:
    """Builds the stand-in for the LiteLLM of a virtual environment, unless it is there.

    Args:
        python: The environment's interpreter.
        home: Folder to build in.

    Returns:
        The stand-in.
    """
    schema = next(python.parents[1].glob("lib/*/site-packages/litellm_proxy_extras/schema.prisma"))
    sources = [*sorted(path for path in _HERE.iterdir() if path.is_file()), schema]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + str(python).encode()).hexdigest()[:12]
    stand_in = PrismaStandIn(home / "venvs" / f"prisma-{digest}")
    stand_in.folder.parent.mkdir(parents=True, exist_ok=True)
    with stand_in.folder.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not (stand_in.folder / _STAMP).exists():
            shutil.rmtree(stand_in.folder, ignore_errors=True)
            _build(stand_in, python, schema)
            (stand_in.folder / _STAMP).touch()
    return stand_in


def _build(stand_in: PrismaStandIn, python: Path, schema: Path) -> None:
    stand_in.programs.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "engine.mjs"):
        shutil.copy(_HERE / name, stand_in.folder / name)
    environment = {**os.environ, "PATH": f"{node_bin()}:{os.environ['PATH']}"}
    npm = str(Path(sys.executable).parent / "npm")
    _run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], stand_in.folder, environment)
    lock = _HERE / "requirements.lock"
    target = ["--no-deps", "--require-hashes", "-r", str(lock), "--target", str(stand_in.packages)]
    _run(
        [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", str(python), *target], stand_in.folder, environment
    )
    node = node_bin() / "node"
    _write_program(
        stand_in.engine,
        f'[ "$1" = --version ] && exec echo query-engine {_ENGINE}\nexec "{node}" "{stand_in.folder}/engine.mjs" "$@"',
    )
    # LiteLLM compares its schema with the database by this at each start.
    _write_program(stand_in.programs / "prisma", '[ "$1 $2" = "migrate diff" ] || { echo "not in tests: $*"; exit 1; }')
    _generate(stand_in, python, schema, environment)


def _generate(stand_in: PrismaStandIn, python: Path, schema: Path, environment: dict[str, str]) -> None:
    lines = [line for line in schema.read_text().splitlines() if "binaryTargets" not in line]
    text = "\n".join(lines).replace('"prisma-client-py"', f'"{python} -m prisma"')
    own = stand_in.folder / "schema.prisma"
    own.write_text(text)
    engines = {
        f"PRISMA_{kind}": str(stand_in.engine)
        for kind in ("QUERY_ENGINE_BINARY", "QUERY_ENGINE_LIBRARY", "SCHEMA_ENGINE_BINARY")
    }
    variables = {
        **environment,
        **engines,
        "PYTHONPATH": str(stand_in.packages),
        "DATABASE_URL": "postgresql://nowhere",
        "PRISMA_CLIENT_ENGINE_TYPE": "binary",
        "CHECKPOINT_DISABLE": "1",
    }
    _run(["node", "node_modules/prisma/build/index.js", "generate", "--schema", str(own)], stand_in.folder, variables)
    _run([str(python), "-m", "compileall", "-q", str(stand_in.packages)], stand_in.folder, environment)


def _write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
