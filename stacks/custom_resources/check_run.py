"""Runs the checks of one agent against one of its endpoints: the gate of a deployment, and `strandline checks run`.

Each repetition of each check is a session of its own, so that no answer leans on another's conversation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from .agent_calls import AgentFailed, Answer, invoke, read
from .canary_routes import new_session_id
from .dialects import DIALECTS, Question
from .expectations import Check, cost_of, find_unmet, latency_of, said_by, unmet_by_failure

Judge = Callable[[str, str, str], list[str]]
"""Question, answer and criterion to why the answer does not keep it; empty where it does."""

START = "starts"
"""Name of the check that every version has to pass."""

# As many sessions at once: AgentCore starts 25 a second in an account, and the model has limits of its own.
_AT_ONCE = 4
_LONGEST_REASON = 300
# 0.7 of ten is a little more than seven in binary.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Case:
    """How one check went.

    Attributes:
        name: Name of the check.
        passed: Whether as many repetitions passed as the threshold asks for.
        runs: Repetitions that were made.
        passes: Those of them that passed.
        reasons: Why others did not, each once.
        latency_ms: The longest time of an answer.
        cost_usd: What all cost; nothing where nobody tells.
    """

    name: str
    passed: bool
    runs: int
    passes: int
    reasons: list[str] = field(default_factory=list)
    latency_ms: float | None = None
    cost_usd: float | None = None


@dataclass(frozen=True)
class Report:
    """How all checks of a version went.

    Attributes:
        cases: Each check.
        bundle: Hash of the bundle that answered, where an answer tells.
    """

    cases: list[Case]
    bundle: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(case.passed for case in self.cases)

    def summary(self) -> str:
        """Says in one line how it went: what failed first, and why."""
        failed = [case for case in self.cases if not case.passed]
        if not failed:
            return f"{len(self.cases)} of {len(self.cases)} checks passed"
        first = failed[0]
        why = first.reasons[0] if first.reasons else "no repetition was made"
        more = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
        return f"check {first.name!r} failed, {first.passes} of {first.runs} runs passed: {why}{more}"

    def as_dict(self) -> dict[str, Any]:
        """Gives the report as JSON has it."""
        return {"passed": self.passed, "bundle": self.bundle, "cases": [asdict(case) for case in self.cases]}


@dataclass(frozen=True)
class Endpoint:
    """Which version of which agent is asked.

    Attributes:
        agent: Id of the agent.
        arn: ARN of its runtime.
        qualifier: Name of the endpoint.
        protocol: What the runtime serves.
    """

    agent: str
    arn: str
    qualifier: str
    protocol: str


class CheckRun:
    """One run of an agent's checks.

    Args:
        client: A client of `bedrock-agentcore`; for any thread.
        endpoint: Who is asked.
        plan: Checks and how they are run (`stacks.check_plan`).
        judge: Who judges answers by a criterion, if anybody does.
        remaining: Seconds that are left.
    """

    def __init__(
        self,
        client: Any,
        endpoint: Endpoint,
        plan: Mapping[str, Any],
        *,
        judge: Judge | None = None,
        remaining: Callable[[], float] = lambda: 900.0,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._plan = plan
        self._judge = judge
        self._remaining = remaining
        self._spent = 0.0
        self._lock = threading.Lock()
        self._bundle: str | None = None

    def run(self) -> Report:
        """Runs every check, the start first: of a version that does not start nothing else is asked.

        Returns:
            How it went.
        """
        start = self._start()
        if not start.passed:
            return Report([start])
        checks: Sequence[Check] = self._plan["checks"]
        runs = [(check, number) for check in checks for number in range(self._plan["repetitions"])]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            results = list(pool.map(lambda run: self._ask(run[0]), runs))
        each = self._plan["repetitions"]
        cases = [self._case(check, results[each * at : each * (at + 1)]) for at, check in enumerate(checks)]
        return Report([start, *cases], self._bundle)

    def _start(self) -> Case:
        began = time.perf_counter()
        try:
            for message in self._send(DIALECTS[self._endpoint.protocol].probe()):
                self._note_bundle(message)
                _check_probe(message)
        except AgentFailed as failed:
            return Case(START, False, 1, 0, [f"the new version does not answer: {failed}"[:_LONGEST_REASON]])
        return Case(START, True, 1, 1, latency_ms=round((time.perf_counter() - began) * 1000, 1))

    def _case(self, check: Check, results: Sequence[_Result]) -> Case:
        passes = sum(not result.reasons for result in results)
        latencies = [result.latency_ms for result in results if result.latency_ms is not None]
        costs = [result.cost_usd for result in results if result.cost_usd is not None]
        reasons = dict.fromkeys(reason[:_LONGEST_REASON] for result in results for reason in result.reasons)
        return Case(
            name=str(check["name"]),
            passed=passes + _ROUNDING >= self._plan["pass_threshold"] * len(results),
            runs=len(results),
            passes=passes,
            reasons=list(reasons)[:5],
            latency_ms=max(latencies, default=None),
            cost_usd=round(sum(costs), 6) if costs else None,
        )

    def _ask(self, check: Check) -> _Result:
        if self._remaining() <= 0:
            return _Result(["it was not run: the time for all checks is over"])
        budget = self._plan["max_cost_usd"]
        if budget is not None and self._spent >= budget:
            return _Result(
                [f"it was not run: the checks have cost {self._spent:.4f} USD, gate.max_cost_usd is {budget}"]
            )
        dialect, session = DIALECTS[self._endpoint.protocol], new_session_id()
        began = time.perf_counter()
        try:
            question = dialect.ask(self._endpoint.agent, check["prompt"], session)
            answer = read(dialect.read(self._send(question, session)), began)
        except AgentFailed as failed:
            return _Result(unmet_by_failure(check, failed))
        self._note(answer)
        return _Result([*find_unmet(check, answer), *self._judged(check, answer)], latency_of(answer), cost_of(answer))

    def _send(self, question: Question, session: str | None = None) -> Iterator[dict[str, Any]]:
        """Asks in a session that is ended with the answer: AgentCore would keep it until it has idled long enough."""
        where = {"agentRuntimeArn": self._endpoint.arn, "qualifier": self._endpoint.qualifier}
        session = session or new_session_id()
        try:
            yield from invoke(self._client, question, **where, runtimeSessionId=session)
        finally:
            with suppress(Exception):  # one that never began, or has ended already
                self._client.stop_runtime_session(**where, runtimeSessionId=session)

    def _judged(self, check: Check, answer: Answer) -> list[str]:
        criterion = check.get("judge")
        if criterion is None:
            return []
        if self._judge is None:
            return ["nobody judges: the environment has no gateway"]
        return self._judge(check["prompt"], said_by(answer), criterion)

    def _note(self, answer: Answer) -> None:
        with self._lock:
            self._spent += cost_of(answer) or 0.0
        self._note_bundle(answer.body)

    def _note_bundle(self, told: Mapping[str, Any]) -> None:
        self._bundle = told.get("bundle") or self._bundle


@dataclass(frozen=True)
class _Result:
    """One repetition.

    Attributes:
        reasons: Why it did not pass.
        latency_ms: How long the answer took.
        cost_usd: What it cost.
    """

    reasons: list[str]
    latency_ms: float | None = None
    cost_usd: float | None = None


def _check_probe(message: Mapping[str, Any]) -> None:
    """Raises what a probe's answer says of a version that runs and cannot do its work.

    Raises:
        AgentFailed: The agent says that it cannot.
    """
    error = message.get("error")
    # A protocol's error to a call that it does not know is an answer: it serves.
    if isinstance(error, Mapping) and "type" in error:
        raise AgentFailed(str(error.get("message")), kind=error["type"], failure_id=error.get("id"))
