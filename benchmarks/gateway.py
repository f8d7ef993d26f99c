"""The gateway beside `litellm --config` as its documentation starts it: `python -m benchmarks.gateway`.

Both are of the same version, answer the same model and ask the same upstream; they are up at the same time and are
asked by turns, so that what else this machine does is in the figures of both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import yaml
from rich.progress import Progress

from benchmarks.gateway_plot import plot
from benchmarks.serving import HOME, MODEL, PROXY_KEY, ROOT, fast_upstream, free_port, started
from benchmarks.table import Report
from gateway import server
from gateway.compile import compile_config
from gateway.settings import GatewaySettings
from gateway.target import GatewayTarget
from strandline.toolchain import ensure_virtual_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.serving import Server

CASES = ("stock", "strandline")
WORKERS = (1, 2)
CONNECTIONS = (1, 8, 64)
FULL_LOAD = 16
"""Connections that keep two workers busy."""
ROUNDS, ROUND_SECONDS, STARTS = 10, 3.0, 5
TARGET_RATIO, TARGET_READY_SECONDS, TARGET_MB = 1.2, 7.0, 400.0
_WARM_UP_SECONDS = 3.0
_PROVIDER_MODEL = "openai/gpt-4.1-mini"


@contextmanager
def proxy(case: str, workers: int, upstream: str, folder: Path) -> Iterator[Server]:
    """A LiteLLM proxy of one of the cases."""
    folder.mkdir(parents=True, exist_ok=True)
    programs = ensure_virtual_environment("gateway", ROOT / "gateway" / "requirements.lock", HOME) / "bin"
    port = free_port()
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "UPSTREAM_KEY": "sk-upstream-0123456789",
        "LITELLM_MASTER_KEY": PROXY_KEY,
        # Without a network the list of prices would be waited for; it would make the stock proxy start later.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    config = folder / "config.yaml"
    if case == "stock":
        config.write_text(yaml.safe_dump(_stock_config(upstream)))
        command = [f"{programs}/litellm", "--config", str(config), "--host", "127.0.0.1"]
        command += ["--port", str(port), "--num_workers", str(workers)]
    else:
        config.write_text(_our_config(upstream))
        variables |= {**server.variables(), "PYTHONPATH": str(ROOT)}
        command = [f"{programs}/python", "-m", "gateway.proxy.serve", "--config", str(config), "--host", "127.0.0.1"]
        command += server.arguments(port, workers=workers)
    with started(command, port, server.READINESS, folder / "log", env=variables, cwd=folder) as up:
        try:
            yield up
        finally:
            for child in psutil.Process(up.process.pid).children(recursive=True):
                child.kill()


def _stock_config(upstream: str) -> dict[str, Any]:
    params = {"model": _PROVIDER_MODEL, "api_base": f"{upstream}/v1", "api_key": "os.environ/UPSTREAM_KEY"}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": params}],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }


def _our_config(upstream: str) -> str:
    model = {"model": _PROVIDER_MODEL, "api_base": f"{upstream}/v1", "api_key_env": "UPSTREAM_KEY"}
    settings = GatewaySettings.model_validate({"models": {MODEL: model}})
    return compile_config(settings, GatewayTarget(execution_mode="production"))


def load(port: int, connections: int, seconds: float) -> tuple[float, list[float]]:
    """Asks a server for a while.

    Returns:
        Answers a second, and what each took, in milliseconds.
    """
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(connections), str(seconds)]
    told = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    return len(told["times_ms"]) / told["seconds"], told["times_ms"]


def by_turns(servers: Mapping[str, Server], connections: int, rounds: int) -> dict[str, dict[str, float]]:
    """Asks several servers by turns.

    Returns:
        For each the medians over its rounds: of answers a second, and of each round's percentiles.
    """
    for up in servers.values():
        load(up.port, connections, _WARM_UP_SECONDS)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, up in servers.items():
            rate, times = load(up.port, connections, ROUND_SECONDS)
            percentiles = statistics.quantiles(times, n=100, method="inclusive")
            found[name].append((rate, percentiles[49], percentiles[98]))
    return {
        name: {
            member: round(statistics.median(values), 2)
            for member, values in zip(("rps", "p50_ms", "p99_ms"), zip(*rows, strict=True), strict=True)
        }
        for name, rows in found.items()
    }


def memory_mb(up: Server) -> float:
    """What its processes hold; what they share is counted once."""
    process = psutil.Process(up.process.pid)
    return round(sum(one.memory_full_info().pss for one in (process, *process.children(recursive=True))) / 1e6, 1)


def ready_seconds(workers: int, upstream: str, scratch: Path, starts: int) -> dict[str, float]:
    """The median of several starts of each case, by turns; all of them but the first of a case find a warm disk."""
    found: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(starts):
        for case in CASES:
            with proxy(case, workers, upstream, scratch / f"{case}-start") as up:
                found[case].append(up.ready_seconds)
    return {case: round(statistics.median(values), 2) for case, values in found.items()}


def throughput(workers: int, upstream: str, scratch: Path, rounds: int, starts: int) -> list[dict[str, Any]]:
    """Both cases under full load."""
    ready = ready_seconds(workers, upstream, scratch, starts)
    with ExitStack() as stack:
        servers = {case: stack.enter_context(proxy(case, workers, upstream, scratch / case)) for case in CASES}
        found = by_turns(servers, FULL_LOAD, rounds)
        return [
            {"case": case, "workers": workers, **found[case], "rss_mb": memory_mb(up), "ready_s": ready[case]}
            for case, up in servers.items()
        ]


def latency(upstream: Server, scratch: Path, rounds: int) -> list[dict[str, Any]]:
    """Both cases with one worker, and the upstream without them, at several connections."""
    rows = []
    with ExitStack() as stack:
        servers = {"upstream": upstream} | {
            case: stack.enter_context(proxy(case, 1, upstream.url, scratch / case)) for case in CASES
        }
        for connections in CONNECTIONS:
            found = by_turns(servers, connections, rounds)
            for case, figures in found.items():
                added = {
                    f"added_{name}_ms": round(figures[f"{name}_ms"] - found["upstream"][f"{name}_ms"], 2)
                    for name in ("p50", "p99")
                    if case != "upstream"
                }
                rows.append({"case": case, "connections": connections, **figures, **added})
    return rows


def verdicts(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each target, with what was found."""
    for stock, ours in zip(rows[::2], rows[1::2], strict=True):
        ratio = ours["rps"] / stock["rps"]
        yield _verdict(f"{ours['workers']} workers: {ratio:.2f} x stock", f"{TARGET_RATIO} x", ratio >= TARGET_RATIO)
        for member, unit in (("p99_ms", "ms"), ("rss_mb", "MB")):
            text = f"{ours['workers']} workers: {ours[member]:,} {unit} beside {stock[member]:,}"
            yield _verdict(text, "no more", ours[member] <= stock[member])
    one = rows[1]
    yield _verdict(
        f"Ready in {one['ready_s']} s", f"{TARGET_READY_SECONDS:.0f} s", one["ready_s"] <= TARGET_READY_SECONDS
    )
    yield _verdict(f"{one['rss_mb']} MB with one worker", f"{TARGET_MB:.0f} MB", one["rss_mb"] <= TARGET_MB)


def _verdict(found: str, target: str, kept: bool) -> str:
    return f"{found} (target: {target}): {'kept' if kept else 'MISSED'}"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of {ROUND_SECONDS:.0f} s for each case")
    parser.add_argument("--starts", type=int, default=STARTS, help="of each case")
    options = parser.parse_args()
    figures = {"rps": "requests/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms"}
    columns = {"case": "", "workers": "workers", **figures, "rss_mb": "MB", "ready_s": "ready s"}
    whole = Report("gateway", f"The gateway beside stock LiteLLM, {FULL_LOAD} connections", columns)
    columns = {"case": "", "connections": "connections", **figures}
    columns |= {"added_p50_ms": "added p50 ms", "added_p99_ms": "added p99 ms"}
    added = Report("gateway_latency", "What a proxy with one worker adds to a call of the upstream", columns)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        progress = stack.enter_context(Progress(transient=True))
        task = progress.add_task("gateway", total=len(WORKERS) + 1)
        upstream = stack.enter_context(fast_upstream(scratch))
        for workers in WORKERS:
            whole.rows += throughput(workers, upstream.url, scratch / str(workers), options.rounds, options.starts)
            progress.advance(task)
        added.rows = latency(upstream, scratch / "latency", options.rounds)
    whole.notes = list(verdicts(whole.rows))
    whole.publish()
    added.publish()
    plot(added.rows)


if __name__ == "__main__":
    main()
