"""Whether a canary is worse than `live`: pure functions of what both sides' sessions did.

A session counts once, whatever was asked in it: invocations of one session share their caller, their conversation and
their faults. A breach is what chance does not explain: the lower bound of an interval lies above the limit. The bound
is far out (`Z`), because a canary is looked at each minute, at five figures.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Z = 3.3
"""Standard deviations of a bound: one side of 0.05 %, so that a hundred looks at an equal version stay below 5 %."""
FEWEST = 5
"""Sessions of the canary below which nothing is a breach."""
FEWEST_COMPARED = 20
"""Sessions of either side below which latency and cost are not compared: their bounds hold for larger samples only."""
_SLOWEST = 0.05


@dataclass(frozen=True)
class Limits:
    """How much worse a canary may be.

    Attributes:
        max_error_increase: Share of sessions with a failure, above that of `live`.
        max_fallback_increase: Share of sessions with a fallback, above that of `live`.
        max_latency_ratio: Times the 95th percentile of `live`.
        max_cost_ratio: Times the mean cost of an invocation of `live`.
        min_sessions: Sessions without which nothing is shown to be good.
    """

    max_error_increase: float
    max_fallback_increase: float
    max_latency_ratio: float
    max_cost_ratio: float
    min_sessions: float


@dataclass(frozen=True)
class Session:
    """What one session did.

    Attributes:
        invocations: Invocations in it.
        failures: Those that ended in a fault of the agent's or of its model's.
        fallbacks: Those that another model answered.
        latency_ms: Mean time of an answer.
        cost_usd: Mean cost of those that told one; nothing where none did.
    """

    invocations: int
    failures: int
    fallbacks: int
    latency_ms: float
    cost_usd: float | None


class Side:
    """The sessions of one side.

    Args:
        sessions: The sessions.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = len(sessions)
        self.invocations = sum(one.invocations for one in sessions)
        self.failed = sum(one.failures > 0 for one in sessions)
        self.fallen_back = sum(one.fallbacks > 0 for one in sessions)
        self.latencies = sorted(one.latency_ms for one in sessions)
        self.costs = [one.cost_usd for one in sessions if one.cost_usd is not None]

    @property
    def p95_ms(self) -> float | None:
        """The 95th percentile of the sessions' mean times."""
        return self.latencies[math.ceil(0.95 * self.sessions) - 1] if self.latencies else None

    def as_dict(self) -> dict[str, Any]:
        """What is shown and recorded of it."""
        return {
            "sessions": self.sessions,
            "invocations": self.invocations,
            "sessions_with_failures": self.failed,
            "sessions_with_fallbacks": self.fallen_back,
            "p95_ms": None if self.p95_ms is None else round(self.p95_ms, 1),
            "cost_usd": round(statistics.fmean(self.costs), 6) if self.costs else None,
        }


@dataclass(frozen=True)
class Figures:
    """Both sides of a canary over the same time.

    Attributes:
        canary: The new version.
        live: What the other new sessions got.
    """

    canary: Side
    live: Side

    def as_dict(self) -> dict[str, Any]:
        """What is shown and recorded of them."""
        return {"canary": self.canary.as_dict(), "live": self.live.as_dict()}


def find_breach(figures: Figures, limits: Limits, share: float) -> str | None:
    """Says what a canary does worse than its limits allow, and chance does not explain.

    Args:
        figures: Both sides.
        limits: The limits.
        share: Part of new sessions that go to the canary.

    Returns:
        The first breach, its figures in words; nothing where there is none.
    """
    return next(_breaches(figures.canary, figures.live, limits, share), None)


def _breaches(canary: Side, live: Side, limits: Limits, share: float) -> Iterator[str]:
    # First what leaves no line: the other figures are those of the sessions that survived.
    if wilson(canary.sessions, canary.sessions + live.sessions)[1] < share / 2:
        yield (
            f"sessions go missing: {canary.sessions} of {canary.sessions + live.sessions} sessions left a line, and "
            f"{share:.0%} of them were sent to the canary"
        )
    if canary.sessions < FEWEST:
        return
    for what, mine, other, limit in (
        ("failures", canary.failed, live.failed, limits.max_error_increase),
        ("fallbacks", canary.fallen_back, live.fallen_back, limits.max_fallback_increase),
    ):
        if excess(mine, canary.sessions, other, live.sessions) > limit:
            yield (
                f"{what}: {mine} of {canary.sessions} sessions of the canary, {other} of {live.sessions} of live, "
                f"which is more than {limit:.1%} above it"
            )
    if min(canary.sessions, live.sessions) >= FEWEST_COMPARED and live.p95_ms is not None:
        bound = limits.max_latency_ratio * live.p95_ms
        slow, slow_live = (sum(one > bound for one in side.latencies) for side in (canary, live))
        if excess(slow, canary.sessions, slow_live, live.sessions) > _SLOWEST:
            yield (
                f"latency: {slow} of {canary.sessions} sessions of the canary, {slow_live} of {live.sessions} of live, "
                f"took more than {limits.max_latency_ratio:g} times the 95th percentile of live, {live.p95_ms:.0f} ms"
            )
    if min(len(canary.costs), len(live.costs)) >= FEWEST_COMPARED:
        mine_usd, other_usd = statistics.fmean(canary.costs), statistics.fmean(live.costs)
        if _cost_excess(canary.costs, live.costs, limits.max_cost_ratio) > 0:
            yield (
                f"cost: an invocation of the canary costs {mine_usd:.6f} USD, of live {other_usd:.6f} USD, "
                f"which is more than {limits.max_cost_ratio:g} times as much"
            )


def excess(hits: int, trials: int, other_hits: int, other_trials: int) -> float:
    """Lower bound of how much one share is above another.

    Newcombe's interval for the difference of two proportions, from Wilson's of each (Statistics in Medicine 17, 1998,
    method 10). Where the other side has no trial, it is taken to have no hit.

    Args:
        hits: Hits of the one.
        trials: Trials of the one.
        other_hits: Hits of the other.
        other_trials: Trials of the other.

    Returns:
        The bound; below 0 where the one may be lower.
    """
    if not trials:
        return -1.0
    share, low = hits / trials, wilson(hits, trials)[0]
    if not other_trials:
        return low
    other, high = other_hits / other_trials, wilson(other_hits, other_trials)[1]
    return share - other - math.hypot(share - low, high - other)


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Bounds of a share: Wilson's score interval; all that is possible where there is no trial."""
    if not trials:
        return 0.0, 1.0
    share, square = hits / trials, Z * Z
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    spread = Z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    # Beside none and all the formula is off by its rounding.
    return (centre - spread if hits else 0.0), (centre + spread if hits < trials else 1.0)


def _cost_excess(mine: Sequence[float], other: Sequence[float], ratio: float) -> float:
    """Lower bound of how far one mean is above a multiple of another: normal, with variances of their own (Welch)."""
    error = math.sqrt(statistics.variance(mine) / len(mine) + ratio**2 * statistics.variance(other) / len(other))
    return statistics.fmean(mine) - ratio * statistics.fmean(other) - Z * error


def limits_of(told: Mapping[str, Any]) -> Limits:
    """Reads limits as a route has them."""
    return Limits(**{name: float(told[name]) for name in Limits.__dataclass_fields__})
