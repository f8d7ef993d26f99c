"""What the handler adds to a call of the model, and whether its memory stays flat: `python -m benchmarks.handler`.

The same question is asked of the LiteLLM proxy by the `openai` client and through the handler, turn by turn, by as many
sessions at once. The handler's own cost and its memory are measured in front of a server that costs next to nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
from rich.progress import Progress

from benchmarks.serving import (
    MODEL,
    PROXY_KEY,
    ask,
    connect,
    fast_upstream,
    free_port,
    handler_variables,
    litellm_proxy,
    started,
    unpacked,
    write_bundle,
)
from benchmarks.table import Report
from tests.runtime.aws_server import AwsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.serving import Server

SESSIONS = {1: 200, 8: 400, 32: 640}
"""Sessions at once to calls of each way."""
INVOCATIONS, SESSIONS_IN_ALL, SAMPLES = 10_000, 1_000, 20
TARGET_ADDED_MS = 5.0
_WARM_UP = 10
_SESSION = "bench-session-0123456789-0123456789-{:06}"


@contextmanager
def handler(scratch: Path, aws: AwsServer, base_url: str) -> Iterator[Server]:
    """The handler's artefact as a process, with the light client."""
    tree = unpacked(("light", "otel"), scratch / "tree")
    port = free_port()
    bundle = write_bundle(scratch / "blueprints", base_url, client="openai")
    command = [sys._base_executable, "main.py"]  # type: ignore[attr-defined]
    variables = handler_variables(aws, bundle, port)
    with started(command, port, "/ping", scratch / "handler.log", cwd=tree, env=variables) as server:
        yield server


def direct(client: openai.OpenAI, _: int) -> float:
    """One call of the proxy: milliseconds to the end of the stream."""
    begun = time.perf_counter()
    messages = [{"role": "system", "content": "You know the tides."}, {"role": "user", "content": "When?"}]
    stream = client.chat.completions.create(
        model=MODEL,
        messages=messages,  # type: ignore[arg-type]
        stream=True,
        temperature=0.2,
        max_tokens=200,
        stream_options={"include_usage": True},
    )
    for _chunk in stream:
        pass
    return (time.perf_counter() - begun) * 1000


class Caller:
    """Calls the handler, by a connection for each thread that stays open, as the `openai` client's do."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._kept = threading.local()

    def __call__(self, number: int) -> float:
        """One invocation, in a session of its own: milliseconds to the end of the stream."""
        begun = time.perf_counter()
        if not hasattr(self._kept, "connection"):
            self._kept.connection = connect(self._port)
        ask(self._kept.connection, _SESSION.format(number))
        return (time.perf_counter() - begun) * 1000


def compare(through: Caller, client: openai.OpenAI, sessions: int, calls: int) -> dict[str, Any]:
    """Asks both ways by turns, a round of each at a time."""
    ways: dict[str, Callable[[int], float]] = {"direct": lambda number: direct(client, number), "handler": through}
    times: dict[str, list[float]] = {name: [] for name in ways}
    seconds = dict.fromkeys(ways, 0.0)
    with ThreadPoolExecutor(sessions) as pool:
        for start in range(0, calls, sessions):
            for name, way in ways.items():
                begun = time.perf_counter()
                times[name] += pool.map(way, range(start, start + sessions))
                seconds[name] += time.perf_counter() - begun
    row: dict[str, Any] = {"what": "added by the handler", "sessions": sessions, "calls": calls}
    for name, taken in times.items():
        row[f"{name}_p50_ms"], row[f"{name}_p99_ms"] = _percentile(taken, 50), _percentile(taken, 99)
    row["added_p50_ms"] = round(row["handler_p50_ms"] - row["direct_p50_ms"], 2)
    row["added_p99_ms"] = round(row["handler_p99_ms"] - row["direct_p99_ms"], 2)
    row["handler_per_s"] = round(calls / seconds["handler"], 1)
    return row


def _percentile(values: Sequence[float], percent: int) -> float:
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 2)


def soak(server: Server, invocations: int, progress: Callable[[], None]) -> tuple[list[dict[str, Any]], float]:
    """Asks again and again in many sessions.

    Returns:
        The memory after each part, and the invocations for a second of one core's time.
    """
    rows = []
    part = invocations // SAMPLES
    through = Caller(server.port)
    with ThreadPoolExecutor(8) as pool:
        begun = server.cpu_seconds()
        for sample in range(SAMPLES):
            numbers = range(sample * part, (sample + 1) * part)
            for _ in pool.map(lambda number: through(number % SESSIONS_IN_ALL), numbers):
                pass
            rows.append(
                {
                    "what": "memory",
                    "invocations": (sample + 1) * part,
                    "sessions": min((sample + 1) * part, SESSIONS_IN_ALL),
                    "rss_mb": round(server.memory_mb("VmRSS"), 2),
                }
            )
            progress()
        rate = invocations / (server.cpu_seconds() - begun)
    return rows, rate


def slope(rows: Sequence[dict[str, Any]]) -> float:
    """KB for each 1,000 invocations, over the second half: the first fills the sessions that are kept."""
    half = rows[len(rows) // 2 :]
    fit = statistics.linear_regression([row["invocations"] for row in half], [row["rss_mb"] for row in half])
    return fit.slope * 1e6


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invocations", type=int, default=INVOCATIONS, help="of the memory's measurement")
    invocations = parser.parse_args().invocations
    columns = {"what": "", "sessions": "sessions", "calls": "calls", "direct_p50_ms": "direct p50 ms"}
    columns |= {"handler_p50_ms": "handler p50", "added_p50_ms": "added p50", "direct_p99_ms": "direct p99"}
    columns |= {"handler_p99_ms": "handler p99", "added_p99_ms": "added p99", "handler_per_s": "per s"}
    columns |= {"invocations": "invocations", "rss_mb": "MB"}
    report = Report("handler", "The handler in front of a LiteLLM proxy, and its memory", columns)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        progress = stack.enter_context(Progress(transient=True))
        task = progress.add_task("handler", total=len(SESSIONS) + SAMPLES)
        aws = stack.enter_context(AwsServer())
        with litellm_proxy(scratch) as proxy, handler(scratch, aws, f"{proxy.url}/v1") as server:
            client = stack.enter_context(openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=PROXY_KEY, max_retries=0))
            through = Caller(server.port)
            for number in range(_WARM_UP):
                direct(client, number)
                through(number)
            for sessions, calls in SESSIONS.items():
                report.rows.append(compare(through, client, sessions, calls))
                progress.advance(task)
        with fast_upstream(scratch) as upstream, handler(scratch, aws, f"{upstream.url}/v1") as server:
            rows, rate = soak(server, invocations, lambda: progress.advance(task))
            report.rows += rows
    one = report.rows[0]["added_p50_ms"]
    report.notes = [
        f"Target: at most {TARGET_ADDED_MS:.0f} ms at the median for one session. Added: {one} ms, "
        f"{'kept' if one <= TARGET_ADDED_MS else 'MISSED'}.",
        f"The handler alone: {rate:,.0f} invocations for a second of one core's time.",
        f"Memory over the second half of {invocations:,} invocations in {SESSIONS_IN_ALL:,} sessions: "
        f"{slope(rows):+,.0f} KB for each 1,000.",
    ]
    report.publish()


if __name__ == "__main__":
    main()
