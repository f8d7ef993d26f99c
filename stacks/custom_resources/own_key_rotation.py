"""The four steps by which a key of the gateway itself is rotated on Secrets Manager's schedule.

    createSecret   the next key, which tasks take since they began, is staged
    setSecret      new tasks, where some began before the next key was made
    testSecret     what is staged is what every task takes
    finishSecret   it is made current; when callers have read it, another next key, and new tasks that forget the old

So for a key that is followed by another (`own_key.py`); one that is swapped has new tasks in the last step only. Each
may come twice, late, or after `strandline rotate` has done its work: what there is to do is read from the labels, from
the keys and from ECS. A step that runs out of Lambda's time fails, and Secrets Manager tries again.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from .gateway_tasks import GatewayTasks
from .own_key import NEXT_SUFFIX, FollowedKey, OwnKey, SwappedKey
from .rotation_steps import RotationRefused, stage_value, take_step, try_staged
from .secret_versions import SecretVersions

CALLERS_SECONDS = 330
"""Within this time whoever keeps a key has read it again: agents keep one for five minutes (`secret_store.py`)."""
_LEFT_SECONDS = 15
"""Left of Lambda's time to say why a step failed."""


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Lambda's entry point, for Secrets Manager's schedule."""
    import boto3

    def remaining() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - _LEFT_SECONDS

    tasks = GatewayTasks(boto3.client("ecs"), os.environ["CLUSTER"], os.environ["SERVICE"])
    followed = dict.fromkeys(os.environ["FOLLOWED"].split(","), True)
    swapped = dict.fromkeys(os.environ["SWAPPED"].split(","), False)
    OwnKeyRotation(boto3.client("secretsmanager"), tasks, followed | swapped, remaining).take(event)


class OwnKeyRotation:
    """Rotates the gateway's own keys.

    Args:
        vault: A client of Secrets Manager.
        tasks: The gateway's tasks.
        secrets: Names of the secrets that may be rotated, and whether a next key follows each, which has its name and
            `_NEXT`.
        remaining: Seconds that are left.
        sleep: Waits until callers have read a key.
        now: Tells the time.
    """

    def __init__(
        self,
        vault: Any,
        tasks: GatewayTasks,
        secrets: Mapping[str, bool],
        remaining: Callable[[], float],
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._vault = vault
        self._tasks = tasks
        self._secrets = secrets
        self._remaining = remaining
        self._sleep = sleep
        self._now = now

    def take(self, event: Mapping[str, Any]) -> None:
        """Takes one step.

        Args:
            event: Secrets Manager's event: Step, SecretId and ClientRequestToken.

        Raises:
            RotationRefused: It cannot be done.
            NewTasksFail: New tasks of the gateway do not become healthy, or not in time.
        """
        token = event["ClientRequestToken"]
        name = self._vault.describe_secret(SecretId=event["SecretId"])["Name"]
        if name not in self._secrets:
            raise RotationRefused(f"{name} is no key of the gateway")
        versions = SecretVersions(self._vault, name)
        key = self._open(name, versions)
        take_step(
            event,
            {
                "createSecret": lambda: stage_value(versions, token, key.following),
                "setSecret": lambda: self._set(versions, key, token),
                "testSecret": lambda: self._test(versions, key, token),
                "finishSecret": lambda: self._finish(versions, key, token),
            },
        )

    def _open(self, name: str, versions: SecretVersions) -> OwnKey:
        if not self._secrets[name]:
            return SwappedKey(versions, self._tasks)
        return FollowedKey(self._vault, versions, SecretVersions(self._vault, name + NEXT_SUFFIX), self._tasks)

    def _set(self, versions: SecretVersions, key: OwnKey, token: str) -> None:
        if versions.labels().current != token:
            key.prepare(self._remaining)

    def _test(self, versions: SecretVersions, key: OwnKey, token: str) -> None:
        if versions.labels().current != token:
            try_staged(versions, token, lambda value: _require(key, value))

    def _finish(self, versions: SecretVersions, key: OwnKey, token: str) -> None:
        if versions.labels().current != token:
            value = versions.staged(token)
            if value is None:
                raise RotationRefused("nothing is staged: nothing was changed")
            _require(key, value)
            versions.promote(token)
        if not key.is_settled():
            self._await_callers(versions)
        key.settle(self._remaining)
        versions.discard(token)

    def _await_callers(self, versions: SecretVersions) -> None:
        """Waits until nobody keeps the key before; of a step that comes again, for what is left of that."""
        seconds = CALLERS_SECONDS - (self._now() - versions.changed_at()).total_seconds()
        if seconds > self._remaining():
            raise RotationRefused("callers may keep the key before for longer than this step has time")
        if seconds > 0:
            self._sleep(seconds)


def _require(key: OwnKey, value: str) -> None:
    """Sees that every task takes a value that callers are about to use."""
    if not key.is_next(value):
        raise RotationRefused("what is staged is not the next key, and no task takes it: nothing was changed")
    if not key.is_ready():
        raise RotationRefused("some tasks do not take the staged key yet: nothing was changed")
