# mypy: disable-error-code="import-not-found"

"""Health of targets: real HTTP requests to the target group's path; only healthy targets are sent requests."""

from __future__ import annotations

import http.client
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ministack.services import alb

_LOOP_SECONDS = 0.1
_FIRST_CHECK_SECONDS = 0.5
_WORKERS = 16
_UNAVAILABLE = 503

Key = tuple[str, str, int]


@dataclass
class _Target:
    state: str = "initial"
    successes: int = 0
    failures: int = 0
    registered: float = 0.0
    next_check: float = 0.0
    checking: bool = False
    reason: str = "Target.FailedHealthChecks"


class TargetHealth:
    """The health of every registered target."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._targets: dict[Key, _Target] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="target-health")

    def start(self) -> None:
        """Begin to check, and to answer with what was found."""
        forward = alb._forward_to_tg

        async def forward_to_tg(group_arn: str, *rest: Any) -> Any:
            group = alb._tgs.get(group_arn)
            if group is None or group.get("TargetType", "instance") == "lambda":
                return await forward(group_arn, *rest)
            return await self._forward(group, *rest)

        alb._forward_to_tg = forward_to_tg
        alb._ACTION_MAP["DescribeTargetHealth"] = self._describe
        threading.Thread(target=self._loop, daemon=True, name="target-health").start()

    def state(self, group_arn: str, address: str, port: int) -> str:
        """`initial`, `healthy` or `unhealthy`."""
        with self._lock:
            target = self._targets.get((group_arn, address, port))
            return target.state if target else "initial"

    async def _forward(
        self,
        group: dict[str, Any],
        method: str,
        path: str,
        headers: Any,
        body: Any,
        query: Any,
        raw_query: Any = None,
        raw_path: Any = None,
    ) -> Any:
        arn = group["TargetGroupArn"]
        states = [
            (target, self.state(arn, target["Id"], port_of(target, group))) for target in alb._targets.get(arn, [])
        ]
        usable = [target for target, state in states if state == "healthy"]
        # With no healthy target left a balancer sends to all of them rather than to none.
        usable = usable or [target for target, state in states if state == "unhealthy"]
        if not usable:
            return (
                _UNAVAILABLE,
                {"Content-Type": "text/html"},
                b"<html><h1>503 Service Temporarily Unavailable</h1></html>",
            )
        chosen = random.choice(usable)  # noqa: S311 - a balancer's choice
        return await alb._proxy_http_target(chosen, group, method, raw_path or path, headers, body, query, raw_query)

    def _describe(self, params: Any) -> Any:
        arn = alb._p(params, "TargetGroupArn")
        if arn not in alb._tgs:
            return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
        wanted = {target["Id"] for target in alb._parse_targets_param(params)}
        members = []
        for target in alb._targets.get(arn, []):
            if wanted and target["Id"] not in wanted:
                continue
            port = port_of(target, alb._tgs[arn])
            state = self.state(arn, target["Id"], port)
            cause = {"initial": "Elb.InitialHealthChecking", "unhealthy": "Target.FailedHealthChecks"}.get(state)
            reason = f"<Reason>{cause}</Reason>" if cause else ""
            members.append(
                f"<member><Target><Id>{target['Id']}</Id><Port>{port}</Port></Target>"
                f"<HealthCheckPort>{port}</HealthCheckPort>"
                f"<TargetHealth><State>{state}</State>{reason}</TargetHealth></member>"
            )
        listing = f"<TargetHealthDescriptions>{''.join(members)}</TargetHealthDescriptions>"
        return alb._xml(200, "DescribeTargetHealth", listing)

    def _loop(self) -> None:
        while True:
            time.sleep(_LOOP_SECONDS)
            registered: dict[Key, dict[str, Any]] = {}
            for _, group in list(alb._tgs.all_items()):
                registered |= _registered(group)
            self._follow(registered)

    def _follow(self, registered: dict[Key, dict[str, Any]]) -> None:
        now = time.monotonic()
        with self._lock:
            for key in [key for key in self._targets if key not in registered]:
                del self._targets[key]
            for key, group in registered.items():
                target = self._targets.setdefault(key, _Target(registered=now))
                if not target.checking and now >= target.next_check:
                    target.checking = True
                    self._pool.submit(self._check, key, target, group)

    def _check(self, key: Key, target: _Target, group: dict[str, Any]) -> None:
        passed = not group.get("HealthCheckEnabled", True) or _passes(key, group)
        now = time.monotonic()
        interval = float(group["HealthCheckIntervalSeconds"]) * self._scale
        with self._lock:
            self._note(target, group, passed, (now - target.registered) / interval)
            target.next_check = now + (min(interval, _FIRST_CHECK_SECONDS) if target.state == "initial" else interval)
            target.checking = False

    def _note(self, target: _Target, group: dict[str, Any], passed: bool, intervals: float) -> None:
        """One pass makes a new target healthy; a failure counts once an interval, however often a new one is asked."""
        if passed:
            target.successes, target.failures = target.successes + 1, 0
            if target.state == "initial" or target.successes >= int(group["HealthyThresholdCount"]):
                target.state = "healthy"
            return
        target.successes = 0
        target.failures = int(intervals) if target.state == "initial" else target.failures + 1
        if target.failures >= int(group["UnhealthyThresholdCount"]):
            target.state = "unhealthy"


def _registered(group: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    if group.get("TargetType", "instance") == "lambda":
        return {}
    arn = group["TargetGroupArn"]
    fields = arn.split(":")
    targets = alb._targets.get_scoped(fields[4], fields[3], arn) or []
    return {(arn, target["Id"], port_of(target, group)): group for target in targets}


def port_of(target: dict[str, Any], group: dict[str, Any]) -> int:
    """The port that a target listens on: its own, or the group's."""
    return int(target.get("Port") or group.get("Port") or 80)


def _passes(key: Key, group: dict[str, Any]) -> bool:
    _, address, port = key
    declared = str(group.get("HealthCheckPort") or "traffic-port")
    timeout = float(group.get("HealthCheckTimeoutSeconds") or 5)
    connection = http.client.HTTPConnection(
        address, port if declared == "traffic-port" else int(declared), timeout=timeout
    )
    try:
        connection.request("GET", group.get("HealthCheckPath") or "/", headers={"User-Agent": "ELB-HealthChecker/2.0"})
        return _matches(connection.getresponse().status, str((group.get("Matcher") or {}).get("HttpCode") or "200"))
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _matches(status: int, codes: str) -> bool:
    """`200`, `200,202` or `200-299`."""
    for part in codes.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False
