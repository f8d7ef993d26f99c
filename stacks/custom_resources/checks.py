"""The gate of a deployment: a new version of an agent has to pass its checks before `live` moves to it.

CloudFormation makes the version, points the endpoint `candidate` at it, and asks here. Where a check fails the stack
rolls back, and `live` never moved. The rollback asks for what has passed already, and nothing is asked of an agent:
what made the checks fail, a provider that is out, would otherwise make the rollback fail too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .check_run import CheckRun, Endpoint, Judge, Report
from .endpoint_names import LIVE, PREVIOUS
from .endpoints import version_behind
from .events import Change, ChangeFailed, Made, answer
from .judging import judge_by
from .records import encode_record, gate_id, is_of_release, record_key, release_of

# Left of Lambda's time for the record and the answer, and for the answers that are on their way.
_LAST_SECONDS = 60.0
_LONGEST_INVOCATION_SECONDS = 900


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Lambda's entry point."""
    import boto3
    from botocore.config import Config

    # An answer may be silent for as long as an invocation may last, and is not asked for twice.
    patient = Config(read_timeout=_LONGEST_INVOCATION_SECONDS, retries={"total_max_attempts": 1})

    def remaining() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - _LAST_SECONDS

    gate = Gate(
        agents=boto3.client("bedrock-agentcore", config=patient),
        control=boto3.client("bedrock-agentcore-control"),
        store=boto3.client("s3"),
        bucket=os.environ["RECORDS"],
        judge_of=lambda model: judge_by(boto3.client("lambda"), os.environ.get("JUDGE"), model),
        remaining=remaining,
    )
    answer(event, context, gate.make)


class Gate:
    """Lets versions pass.

    Args:
        agents: A client of `bedrock-agentcore`.
        control: A client of `bedrock-agentcore-control`.
        store: A client of S3.
        bucket: Where records are kept.
        judge_of: Gives who judges with a model.
        remaining: Seconds that are left.
        now: The time.
    """

    def __init__(
        self,
        *,
        agents: Any,
        control: Any,
        store: Any,
        bucket: str,
        judge_of: Callable[[str | None], Judge | None],
        remaining: Callable[[], float],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._agents = agents
        self._control = control
        self._store = store
        self._bucket = bucket
        self._judge_of = judge_of
        self._remaining = remaining
        self._now = now

    def make(self, change: Change) -> str | Made:
        """Lets a version pass, or not.

        Args:
            change: CloudFormation's event.

        Returns:
            The id of the gate, and as `Previous` the version that the endpoint of that name is to hold.

        Raises:
            ChangeFailed: A check failed.
        """
        if change.kind == "Delete":
            return change.physical_id or ""
        asked = change.properties
        settings = json.dumps(asked["Settings"], sort_keys=True)
        release = release_of(*(asked[name] for name in ("Bundle", "Code", "Role", "Plan")), settings)
        attributes = {"Previous": self._version_to_hold(asked)}
        if change.physical_id and is_of_release(change.physical_id, release):
            return Made(change.physical_id, attributes)
        report = self._run(asked)
        digest = self._keep(asked, report)
        if not report.passed:
            name = f"{asked['Agent']} in {asked['Environment']}"
            raise ChangeFailed(
                f"version {asked['Version']} of {name} did not pass, and `live` was not moved: {report.summary()}",
                change.physical_id,
            )
        return Made(gate_id(release, digest), attributes)

    def _run(self, asked: Mapping[str, Any]) -> Report:
        endpoint = Endpoint(asked["Agent"], asked["RuntimeArn"], asked["Endpoint"], asked["Protocol"])
        plan = json.loads(asked["Plan"])
        judge = self._judge_of(plan["judge_model"])
        return CheckRun(self._agents, endpoint, plan, judge=judge, remaining=self._remaining).run()

    def _keep(self, asked: Mapping[str, Any], report: Report) -> str:
        told = {
            **report.as_dict(),
            "agent": asked["Agent"],
            "environment": asked["Environment"],
            "bundle": asked["Bundle"],
            "code": asked["Code"],
            "version": asked["Version"],
            "at": self._now().isoformat(timespec="seconds"),
        }
        content, digest = encode_record(told)
        self._store.put_object(
            Bucket=self._bucket,
            Key=record_key(asked["Agent"], digest),
            Body=content,
            ContentType="application/json",
        )
        return digest

    def _version_to_hold(self, asked: Mapping[str, Any]) -> str:
        """What callers reach before this release; where that is this one already, what was held before."""
        live = version_behind(self._control, asked["RuntimeArn"], LIVE)
        if live is not None and live != asked["Version"]:
            return live
        return version_behind(self._control, asked["RuntimeArn"], PREVIOUS) or str(asked["Version"])
