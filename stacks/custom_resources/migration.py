"""The migration of the gateway's database, as a step of the deployment that stops it when it fails.

The resource is known by what was migrated last. A rollback asks for what is there already, and nothing runs: what made
the migration fail would otherwise make the rollback fail too.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from .events import Change, ChangeFailed, answer

_POLL_SECONDS = 3.0
# Left of Lambda's time for the answer.
_ANSWER_SECONDS = 20.0


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Lambda's entry point."""
    import boto3

    def remaining() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000

    migration = Migration(boto3.client("ecs"), os.environ["CLUSTER"], remaining)
    answer(event, context, migration.make)


class Migration:
    """Runs the migration task and waits for it.

    Args:
        ecs: A client of ECS.
        cluster: The cluster that it runs in.
        remaining: Seconds that are left.
        sleep: Waits between two looks.
    """

    def __init__(
        self, ecs: Any, cluster: str, remaining: Callable[[], float], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._ecs = ecs
        self._cluster = cluster
        self._remaining = remaining
        self._sleep = sleep

    def make(self, change: Change) -> str:
        """Migrates to what a task definition brings.

        Args:
            change: CloudFormation's event.

        Returns:
            The id of what is migrated to.

        Raises:
            ChangeFailed: The task failed, or did not end in time.
        """
        if change.kind == "Delete":
            return change.physical_id or ""
        definition = change.properties["TaskDefinition"]
        wanted = f"migrated-{hashlib.sha256(definition.encode()).hexdigest()[:24]}"
        if wanted == change.physical_id:
            return wanted
        self._await(self._start(change, definition))
        return wanted

    def _start(self, change: Change, definition: str) -> str:
        started = self._ecs.run_task(
            cluster=self._cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            # The same task for an event that is delivered twice.
            clientToken=change.request_id,
            startedBy="strandline-migration",
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": change.properties["Subnets"],
                    "securityGroups": change.properties["SecurityGroups"],
                    "assignPublicIp": change.properties["AssignPublicIp"],
                }
            },
        )
        if not started["tasks"]:
            reasons = ", ".join(failure.get("reason", "no reason") for failure in started.get("failures", []))
            raise ChangeFailed(f"the migration task could not be started: {reasons}")
        arn: str = started["tasks"][0]["taskArn"]
        return arn

    def _await(self, arn: str) -> None:
        while self._remaining() > _ANSWER_SECONDS:
            (task,) = self._ecs.describe_tasks(cluster=self._cluster, tasks=[arn])["tasks"]
            if task["lastStatus"] == "STOPPED":
                self._judge(task)
                return
            self._sleep(_POLL_SECONDS)
        raise ChangeFailed(
            f"the migration task {_id(arn)} has not ended in Lambda's time; it goes on: deploy again when it has"
        )

    def _judge(self, task: Mapping[str, Any]) -> None:
        codes = [container.get("exitCode") for container in task["containers"]]
        if codes and all(code == 0 for code in codes):
            return
        told = ", ".join("none" if code is None else str(code) for code in codes)
        raise ChangeFailed(
            f"the migration failed, and the gateway was left as it is: task {_id(task['taskArn'])}, exit code {told}, "
            f"{task.get('stoppedReason', 'no reason')}; its log says why"
        )


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]
