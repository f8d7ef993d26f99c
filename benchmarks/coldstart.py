"""How long a person waits for a new session: `python -m benchmarks.coldstart`.

Each case is a process of its own, started from its unpacked artefact with the page cache dropped where the system
allows it, turn by turn, so that the machine's noise falls on all alike. AgentCore starts every new session so.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

from benchmarks.serving import (
    HOME,
    KEY_VARIABLE,
    PROXY_KEY,
    ROOT,
    ask,
    connect,
    free_port,
    handler_variables,
    litellm_proxy,
    started,
    write_bundle,
)
from benchmarks.table import Report
from stacks.packaging import HOST, build_code_artefact, lock_of
from tests.runtime.aws_server import AwsServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_runtime.bundle import Bundle
    from benchmarks.serving import Server

RUNS = 10
_SESSION = "bench-session-0123456789-0123456789-{:04}"
_HANDLERS = Path(__file__).resolve().parent / "handlers"
_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True)
class Case:
    """One kind of handler.

    Attributes:
        name: Its name in the results.
        title: What it is.
        tree: Its unpacked artefact.
        zip_mb: The artefact.
        client: Which client of ours it uses; nothing for a handler that is not ours.
    """

    name: str
    title: str
    tree: Path
    zip_mb: float
    client: str | None = None

    @property
    def unpacked_mb(self) -> float:
        """Size of the tree."""
        return sum(file.stat().st_size for file in self.tree.rglob("*") if file.is_file()) / 1e6


def build_cases(scratch: Path) -> list[Case]:
    """Builds every artefact for the machine at hand."""
    echo = _by_hand(scratch, "echo", "bare SDK echo app", ["bedrock-agentcore==1.25.0"], bytecode=True)
    locks = [*_requirements(lock_of("light")), *_requirements(lock_of("litellm"))]
    plain = _by_hand(scratch, "standard_plain", "hand-written, LiteLLMModel, pip's zip", locks, bytecode=False)
    compiled = _by_hand(scratch, "standard_bytecode", "the same with bytecode", locks, bytecode=True)
    return [
        *(echo, plain, compiled),
        _ours(scratch, "litellm", "Strandline, client: litellm", ("litellm", "otel")),
        _ours(scratch, "light", "Strandline, light client", ("light", "otel")),
    ]


def _requirements(lock: Path) -> list[str]:
    return ["--requirements", str(lock)]


def _by_hand(scratch: Path, name: str, title: str, packages: Sequence[str], *, bytecode: bool) -> Case:
    import uv

    tree = scratch / name
    pins = ["--constraint", str(lock_of("light"))] if "--requirements" not in packages else ["--no-deps"]
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--target", str(tree), *packages, *pins]
    subprocess.run(
        [*command, "--python", sys._base_executable, "--no-compile-bytecode", "--no-config"], check=True, cwd=ROOT
    )
    kind = "echo" if name == "echo" else "standard"
    shutil.copy(_HANDLERS / f"{kind}.py", tree / "main.py")
    if bytecode:
        compileall.compile_dir(tree, quiet=2, workers=os.cpu_count() or 1)
    archive = scratch / f"{name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(tree.rglob("*")):
            file.write(path, path.relative_to(tree))
    return Case(name, title, tree, archive.stat().st_size / 1e6)


def _ours(scratch: Path, name: str, title: str, features: tuple[str, ...]) -> Case:
    artefact = build_code_artefact(features, HOST, HOME)
    tree = scratch / name
    with zipfile.ZipFile(artefact.path) as archive:
        archive.extractall(tree)
    return Case(name, title, tree, artefact.path.stat().st_size / 1e6, "litellm" if name == "litellm" else "openai")


def measure(case: Case, turn: int, proxy: Server, aws: AwsServer, bundle: Bundle | None, log: Path) -> dict[str, float]:
    """One cold start: seconds to the first healthy ping and to the first text, and peak memory."""
    port = free_port()
    variables = {"PORT": str(port), KEY_VARIABLE: PROXY_KEY, "BENCH_URL": f"{proxy.url}/v1", "PATH": os.environ["PATH"]}
    variables |= {"HOME": "/nonexistent", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    if bundle:
        variables = handler_variables(aws, bundle, port)
    # A new microVM finds what the zip holds and nothing that an earlier start left there.
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    drop_caches()
    command = [sys._base_executable, "main.py"]  # type: ignore[attr-defined]
    with started(command, port, "/ping", log, cwd=case.tree, env=variables) as server:
        with closing(connect(port)) as connection:
            first = ask(connection, _SESSION.format(turn)) - server.begun
        return {"ready_s": server.ready_seconds, "first_token_s": first, "rss_mb": server.memory_mb()}


def drop_caches() -> bool:
    """Empties the system's page cache, if it lets us.

    Returns:
        Whether it did.
    """
    os.sync()
    try:
        _CACHES.write_text("3")
    except OSError:
        return False
    return True


def verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The targets, each with what was measured."""
    by_case = {row["case"]: row for row in rows}
    echo, standard = by_case["echo"], by_case["standard_plain"]
    compiled, ours, light = by_case["standard_bytecode"], by_case["litellm"], by_case["light"]
    floor = max(1.0, 1.5 * echo["ready_s"])
    targets = [
        ("light: healthy, s", light["ready_s"], floor),
        ("light: healthy, 1/5 of the plain standard handler, s", light["ready_s"], standard["ready_s"] / 5),
        ("light: first token, 1/4 of the same, s", light["first_token_s"], standard["first_token_s"] / 4),
        ("light: peak memory, MB", light["rss_mb"], 110.0),
        ("light: zip, MB", light["zip_mb"], 25.0),
        ("light: unpacked, MB", light["unpacked_mb"], 90.0),
        ("litellm: healthy, no slower than the standard with bytecode, s", ours["ready_s"], compiled["ready_s"]),
    ]
    return [
        f"{name}: {value:.2f}, at most {limit:.2f}: {'kept' if value <= limit else 'MISSED'}."
        for name, value, limit in targets
    ]


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="cold starts of each case; the medians count")
    runs = parser.parse_args().runs
    report = Report(
        "coldstart",
        f"Cold start of a session: medians of {runs} processes each",
        {
            **{"case": "case", "what": "", "ready_s": "healthy s", "first_token_s": "first token s"},
            **{"rss_mb": "peak MB", "unpacked_mb": "unpacked MB", "zip_mb": "zip MB"},
        },
    )
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        progress = stack.enter_context(Progress(transient=True))
        cases = build_cases(scratch)
        aws = stack.enter_context(AwsServer())
        proxy = stack.enter_context(litellm_proxy(scratch))
        task = progress.add_task("cold starts", total=runs * len(cases))
        bundles = {
            case.name: write_bundle(scratch / f"{case.name}-blueprints", f"{proxy.url}/v1", client=case.client)
            for case in cases
            if case.client
        }
        # The proxy's own first answer is slow, and is no part of a handler's start.
        for case in cases:
            measure(case, 0, proxy, aws, bundles.get(case.name), scratch / "handler.log")
        figures: dict[str, list[dict[str, float]]] = {case.name: [] for case in cases}
        for turn in range(runs):
            for case in cases:
                one = measure(case, turn, proxy, aws, bundles.get(case.name), scratch / "handler.log")
                figures[case.name].append(one)
                progress.advance(task)
        for case in cases:
            medians = {key: statistics.median(run[key] for run in figures[case.name]) for key in figures[case.name][0]}
            sizes = {"unpacked_mb": case.unpacked_mb, "zip_mb": case.zip_mb}
            rounded = {key: round(value, 3) for key, value in (medians | sizes).items()}
            report.rows.append({"case": case.name, "what": case.title, **rounded})
    report.notes = [
        *verdicts(report.rows),
        "The page cache was dropped before each start."
        if drop_caches()
        else "The system does not let the page cache be dropped; every start found its files there.",
    ]
    report.publish()


if __name__ == "__main__":
    main()
