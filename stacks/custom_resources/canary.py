"""Begins canaries when CloudFormation deploys a version, and watches them each minute until they go to all or back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .canaries import Canaries, Clients
from .canary_figures import read_figures
from .canary_judging import Figures, find_breach, limits_of
from .canary_records import ALL, BACK, Outcome
from .canary_routes import Route
from .endpoint_names import LIVE, PREVIOUS
from .endpoints import version_behind
from .events import Change, Made, answer

WATCH_EVENT = {"Watch": "canaries"}
"""What EventBridge calls the function with."""

_DEPLOYMENT = "deployment"
_WATCHER = "watcher"
_AT_ONCE = 8


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Lambda's entry point: CloudFormation's, and EventBridge's each minute."""
    import boto3

    control = boto3.client("bedrock-agentcore-control")
    clients = Clients(control, boto3.client("ssm"), boto3.client("s3"))
    canaries = Canaries(clients, os.environ["STRANDLINE_ENVIRONMENT"], os.environ["RECORDS"])
    if "Watch" in event:
        watch(canaries, boto3.client("logs"), time.time())
    else:
        answer(event, context, Beginning(canaries, control, time.time).make)


class Beginning:
    """CloudFormation's side: the version that passed its checks becomes a canary, and `live` stays.

    Args:
        canaries: The canaries.
        control: A client of `bedrock-agentcore-control`.
        now: The time, in seconds since 1970.
    """

    def __init__(self, canaries: Canaries, control: Any, now: Callable[[], float]) -> None:
        self._canaries = canaries
        self._control = control
        self._now = now

    def make(self, change: Change) -> str | Made:
        """Begins a canary where `live` holds another version.

        Args:
            change: CloudFormation's event.

        Returns:
            The id, and the versions that the endpoints `live` and `previous` are to hold.
        """
        asked = change.properties
        if change.kind == "Delete":
            self._canaries.remove(asked["Agent"], change.physical_id or "")
            return change.physical_id or ""
        version, release = str(asked["Version"]), str(asked["Gate"])
        # An ending that was begun moves endpoints: what they hold is read afterwards.
        self._canaries.take_up(asked["Agent"])
        live = self._behind(asked, LIVE)
        if live is None or live == version:
            return Made(release, {"Live": version, "Previous": str(asked["Previous"])})
        kept = Made(release, {"Live": live, "Previous": self._behind(asked, PREVIOUS) or live})
        # What passed once is no new release: a rollback of the stack, or a change of the limits.
        if change.physical_id != release:
            self._canaries.begin(self._route(asked, version, live), _DEPLOYMENT)
        return kept

    def _route(self, asked: Mapping[str, Any], version: str, live: str) -> Route:
        settings = json.loads(asked["Settings"])
        began = int(self._now())
        return Route(
            agent=asked["Agent"],
            runtime_arn=asked["RuntimeArn"],
            version=version,
            live=live,
            share=settings["share"],
            began=began,
            ends=began + settings["seconds"],
            release=asked["Gate"],
            limits=settings["limits"],
        )

    def _behind(self, asked: Mapping[str, Any], endpoint: str) -> str | None:
        return version_behind(self._control, asked["RuntimeArn"], endpoint)


def watch(canaries: Canaries, logs: Any, now: float) -> None:
    """Looks at every canary once, and ends those whose time is over or that do worse.

    Args:
        canaries: The canaries.
        logs: A client of CloudWatch Logs.
        now: The time, in seconds since 1970.

    Raises:
        Exception: The first fault of a look, when all canaries were looked at: Lambda counts it as an error.
    """
    running, unfinished = canaries.found()
    if not running and not unfinished:
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looks = [pool.submit(canaries.take_up, agent) for agent in unfinished]
        looks += [pool.submit(_look, canaries, logs, route, now) for route in running]
    for look in looks:
        look.result()


def _look(canaries: Canaries, logs: Any, route: Route, now: float) -> None:
    figures = read_figures(logs, route, now)
    decided = decide(route, figures, now)
    told = {"agent": route.agent, "version": route.version, "decision": decided and decided.outcome}
    print(json.dumps({**told, **figures.as_dict()}))
    if decided:
        canaries.end(route, decided)


def decide(route: Route, figures: Figures, now: float) -> Outcome | None:
    """Decides what becomes of a canary.

    Args:
        route: The canary.
        figures: What both sides did.
        now: The time, in seconds since 1970.

    Returns:
        Its end; nothing where it goes on.
    """
    limits = limits_of(route.limits)
    breach = find_breach(figures, limits, route.share)
    if breach:
        return Outcome(BACK, breach, _WATCHER, figures.as_dict())
    if now < route.ends:
        return None
    sessions = figures.canary.sessions
    if sessions >= limits.min_sessions:
        minutes = (now - route.began) / 60
        return Outcome(
            ALL, f"no limit was passed in {sessions} sessions and {minutes:.0f} minutes", _WATCHER, figures.as_dict()
        )
    # As long again for those that are missing; nobody has shown that it is good.
    if now >= 2 * route.ends - route.began:
        few = f"too few sessions: {sessions} in twice its time, and min_sessions is {limits.min_sessions:.0f}"
        return Outcome(BACK, few, _WATCHER, figures.as_dict())
    return None
