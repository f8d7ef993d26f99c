"""What `environments.yaml` says of canaries: how many new sessions a new version gets, for how long, and its limits."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field, StringConstraints

from agent_runtime.strict import StrictModel

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_Ratio = Annotated[float, Field(ge=1, le=100)]
Share = Annotated[str, StringConstraints(pattern=r"^([1-9]|[1-4][0-9]|50)%$")]
Increase = Annotated[str, StringConstraints(pattern=r"^([0-9]|[1-9][0-9])(\.[0-9])?%$")]
# Logs Insights is asked for the time of one canary at once, each minute.
Duration = Annotated[str, StringConstraints(pattern=r"^([5-9]m|[1-9][0-9]{1,2}m|[1-9][0-9]?h|[1-7]d)$")]


class Canary(StrictModel):
    """A share of new sessions for a new version, before all get it."""

    share: Share = Field(default="10%", description="Share of new sessions, 1% to 50%.", examples=["10%"])
    duration: Duration = Field(
        default="30m", description="How long a version is watched, such as 30m, 2h or 1d; 5 minutes to 7 days."
    )
    min_sessions: int = Field(
        default=20,
        ge=5,
        le=10_000,
        description="Sessions of the canary without which it is not good. It waits for them twice its time, then it "
        "goes back.",
    )
    max_error_increase: Increase = Field(
        default="2%", description="Sessions with a failure may be that many points more than those of live."
    )
    max_fallback_increase: Increase = Field(
        default="10%", description="Sessions with an answer of a fallback model may be that many points more."
    )
    max_latency_ratio: _Ratio = Field(
        default=1.5, description="Its sessions may take that many times the 95th percentile of live."
    )
    max_cost_ratio: _Ratio = Field(
        default=1.5, description="Its invocations may cost that many times those of live, on average."
    )

    def encode(self) -> str:
        """Writes what the function that begins canaries is told."""
        return json.dumps(
            {
                "share": _part(self.share),
                "seconds": int(self.duration[:-1]) * _SECONDS[self.duration[-1]],
                "limits": {
                    "max_error_increase": _part(self.max_error_increase),
                    "max_fallback_increase": _part(self.max_fallback_increase),
                    "max_latency_ratio": self.max_latency_ratio,
                    "max_cost_ratio": self.max_cost_ratio,
                    "min_sessions": self.min_sessions,
                },
            },
            sort_keys=True,
        )


def _part(percent: str) -> float:
    return round(float(percent.removesuffix("%")) / 100, 4)
