"""What a promotion and a rollback take, from the command to its end, on a cloud of this machine.

`python -m benchmarks.promote [AGENTS]` rehearses a project of fifty agents in three accounts: all of them promoted at
once, planned again with nothing to do, and one of them rolled back while its callers ask twenty times a second.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.table import Report
from tests.e2e.conftest import cloud_of_its_own
from tests.e2e.load import PER_SECOND, Caller, load_on
from tests.e2e.rehearsal import AGENT, Rehearsal
from tests.support.openai_server import OpenAIServer

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENTS = 50
PLANS, ROLLBACKS = 5, 5
_PROBE_PAUSE_SECONDS = 1.0
_COLUMNS = {"what": "what", "agents": "agents", "seconds": "median, s", "slowest": "slowest, s", "failed": "failed"}


@contextmanager
def rehearsal(folder: Path, agents: int) -> Iterator[Rehearsal]:
    """A project of many agents, deployed to simulation as its second version; gone at the end."""
    (home := folder / "home").mkdir()
    with OpenAIServer() as provider, cloud_of_its_own(folder / "project", home, provider) as project:
        made = Rehearsal(folder / "project", project)
        made.write([AGENT, *(f"agent-{number:03}" for number in range(1, agents))])
        run(made, "deploy", "--env", "simulation")
        yield made


def run(made: Rehearsal, *arguments: str, expected: int = 0) -> tuple[float, str]:
    """Runs a command; gives the seconds that its process took, and what it printed."""
    begun = time.monotonic()
    done = made.run(*arguments)
    if done.returncode != expected:
        raise SystemExit(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return time.monotonic() - begun, done.stdout


def row(what: str, agents: int, seconds: list[float], failed: int | None = None) -> dict[str, Any]:
    """A row of the table."""
    told = {"seconds": round(statistics.median(seconds), 1), "slowest": round(max(seconds), 1), "failed": failed}
    return {"what": what, "agents": agents, "runs": len(seconds), **told}


class Probe:
    """Starts a new session again and again, one after another, and notes when which version of the blueprint answered.

    Attributes:
        failed: What came instead of an answer.
    """

    def __init__(self, caller: Caller) -> None:
        self.failed: list[str] = []
        self._answers: list[tuple[float, str]] = []
        self._caller = caller
        self._ended = threading.Event()

    def __enter__(self) -> Probe:
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def first(self, version: str, since: float) -> float:
        """When a version answered a new session for the first time, in seconds since a moment."""
        return min(at for at, told in self._answers if told == version and at >= since) - since

    def _ask(self) -> None:
        while not self._ended.wait(_PROBE_PAUSE_SECONDS):
            session = f"probe-{time.monotonic_ns()}".ljust(40, "x")
            told = self._caller.ask(AGENT, session)
            if told.get("type") == "done":
                self._answers.append((time.monotonic(), str(told.get("version"))))
                self._caller.end(AGENT, session)
            else:
                self.failed.append(f"{AGENT}: {told}")


def roll_back(made: Rehearsal) -> tuple[list[float], list[float], int, int]:
    """Rolls back and forth under load: seconds of the command, seconds to the first old answer, requests, failures."""
    commands, first, failed = [], [], []
    staging = made.at("staging")
    with load_on(staging, [AGENT]) as load:
        for number in range(ROLLBACKS):
            with Probe(load.caller) as probe:
                begun = time.monotonic()
                commands.append(run(made, "rollback", AGENT, "--env", "staging", "--json")[0])
                time.sleep(3)
            first.append(probe.first("1.0.0", begun))
            failed += probe.failed
            print(f"rollback {number}: {commands[-1]:.1f} s, first old answer after {first[-1]:.1f} s", file=sys.stderr)
            told = json.loads(run(made, "history", AGENT, "--env", "staging", "--json")[1])
            newest = max(int(one["version"]) for one in told["versions"])
            run(made, "rollback", AGENT, "--env", "staging", "--to", str(newest))
    failed += load.failed
    for fault in failed:
        print(fault, file=sys.stderr)
    return commands, first, load.answered, len(failed)


def main() -> int:
    """Measures; ends with 1 if a request failed."""
    agents = int(sys.argv[1]) if len(sys.argv) > 1 else AGENTS
    report = Report("promote", "Promotions and rollbacks, each a whole process of the CLI", _COLUMNS)
    promotion = ("promote", "--all", "--from", "simulation", "--to", "staging")
    with tempfile.TemporaryDirectory(prefix="strandline-promote-") as name, rehearsal(Path(name), agents) as made:
        first, _ = run(made, *promotion, "--yes")
        report.rows.append(row("promote all, from nothing, with its checks", agents, [first]))
        unchanged = [run(made, *promotion, "--plan")[0] for _ in range(PLANS)]
        report.rows.append(row("promote --plan, nothing changed", agents, unchanged))
        made.say("You know the tides, and the moon.\n", version="1.1.0")
        run(made, "deploy", "--env", "simulation")
        planned = [run(made, *promotion, "--plan", expected=2)[0] for _ in range(PLANS)]
        report.rows.append(row("promote --plan, one agent changed", agents, planned))
        one, _ = run(made, *promotion, "--yes")
        report.rows.append(row("promote all, one agent changed", agents, [one]))
        commands, old, answered, failed = roll_back(made)
    report.rows += [
        row("rollback under load: the command", 1, commands, failed),
        row("rollback under load: first answer of the old version", 1, old, failed),
    ]
    report.notes += [
        f"The load: {PER_SECOND} requests a second, {answered:,} answered; beside it one new session after "
        f"another, each a process of its own here, {_PROBE_PAUSE_SECONDS:g} s apart.",
        "Handlers, checks and what answers as AWS share this machine's processors with the CLI.",
        f"A plan of an unchanged tree in under 15 s: {'yes' if max(unchanged) < 15 else 'no'}; the old version answers "
        f"in under 10 s: {'yes' if max(old) < 10 else 'no'}.",
    ]
    report.publish()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
