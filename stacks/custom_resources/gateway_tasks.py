"""The gateway's tasks, which read their secrets when they start: since when they run, and new ones in their place.

ECS tells it by the service's deployments: no task of a deployment began before the deployment did. So one call tells,
and nobody has to be allowed to list tasks ("Amazon ECS rolling updates"). A deployment without running tasks may still
have some that answer the requests which they took before; they know what they began with, so it counts.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_POLL_SECONDS = 3.0
_CLOCKS = dt.timedelta(seconds=1)
"""Services tell times in whole seconds, and their clocks differ a little."""


class NewTasksFail(Exception):
    """Raised when new tasks do not serve; the old ones go on, with the values that they began with."""


class GatewayTasks:
    """The tasks of one service.

    Args:
        ecs: A client of ECS.
        cluster: The cluster.
        service: The service in it.
        sleep: Waits between two looks.
    """

    def __init__(self, ecs: Any, cluster: str, service: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._ecs = ecs
        self._named = {"cluster": cluster, "service": service}
        self._sleep = sleep

    def began_after(self, moment: dt.datetime) -> bool:
        """Whether every task that serves, or is about to, began after a moment."""
        return _serve_since(self._deployments(), moment)

    def replace_older(
        self, moment: dt.datetime, remaining: Callable[[], float], progress: Callable[[str], None] = lambda _: None
    ) -> None:
        """Replaces the tasks that began before a moment, and waits until new ones serve alone.

        A deployment that began after it already, by whomever, is waited for and not begun again.

        Args:
            moment: The moment.
            remaining: Seconds that are left to wait.
            progress: Told what is waited for.

        Raises:
            NewTasksFail: The new tasks do not become healthy, or not in time.
        """
        is_started = False
        while remaining() > 0:
            deployments = self._deployments()
            if _serve_since(deployments, moment):
                return
            newest, state = deployments[0], deployments[0]["rolloutState"]
            if state in ("IN_PROGRESS", "COMPLETED") and _is_after(newest, moment):
                serving = f"{newest['runningCount']} of {newest['desiredCount']} new tasks"
                progress(f"gateway: {serving if state == 'IN_PROGRESS' else 'old tasks answer their last requests'}")
            elif is_started:
                reason = newest.get("rolloutStateReason") or state
                raise NewTasksFail(f"the gateway's new tasks do not serve, and its old ones go on: {reason}")
            else:
                self._start()
                is_started = True
            self._sleep(_POLL_SECONDS)
        raise NewTasksFail("the gateway's new tasks do not serve yet; its old ones go on")

    def _start(self) -> None:
        # What begins within the second of the moment cannot be told from what began before it.
        self._sleep(2 * _CLOCKS.total_seconds())
        self._ecs.update_service(**self._named, forceNewDeployment=True)

    def _deployments(self) -> list[Mapping[str, Any]]:
        """Deployments that serve, are about to, or still answer what came before, the newest first."""
        answer = self._ecs.describe_services(cluster=self._named["cluster"], services=[self._named["service"]])
        every = answer["services"][0]["deployments"] if answer["services"] else []
        newest = [one for one in every if one["status"] == "PRIMARY"]
        if not newest:
            raise NewTasksFail(f"there is no service {self._named['service']} that serves")
        return newest + [one for one in every if one["status"] == "ACTIVE" and not _has_failed(one)]


def _serve_since(deployments: Sequence[Mapping[str, Any]], moment: dt.datetime) -> bool:
    return deployments[0]["rolloutState"] == "COMPLETED" and all(_is_after(one, moment) for one in deployments)


def _has_failed(deployment: Mapping[str, Any]) -> bool:
    """Whether it was given up; ECS goes on telling of it when its last task has gone."""
    is_empty = not deployment["runningCount"] + deployment["pendingCount"]
    return is_empty and deployment["rolloutState"] == "FAILED"


def _is_after(deployment: Mapping[str, Any], moment: dt.datetime) -> bool:
    began: dt.datetime = deployment["createdAt"]
    return began > moment + _CLOCKS
