"""The route of a canary: what callers read to share new sessions between two endpoints, and what a session's id says.

AgentCore's endpoints have no weights, and a session keeps the version that it began with. So the choice is made once,
by who makes the session's id, and the id says it: every caller that goes on with the session goes to the same endpoint,
without a store, also when the canary has ended. `docs/canary.md` has the rule for callers in other languages.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .endpoint_names import CANARY, LIVE

_MARK = re.compile(r"strandline-v(?P<version>[0-9]+)-(?P<side>canary|live)-")


@dataclass(frozen=True)
class Route:
    """One canary, as the parameter of its agent has it.

    Attributes:
        agent: Id of the agent.
        runtime_arn: ARN of its runtime.
        version: The version that takes a share of new sessions.
        live: What `live` held when the canary began.
        share: Part of new sessions, above 0 and below 1.
        began: When it began, in seconds since 1970.
        ends: When its time is over.
        release: Id of the gate that let the version pass.
        limits: What it is held to (`canary_judging.Limits`).
    """

    agent: str
    runtime_arn: str
    version: str
    live: str
    share: float
    began: int
    ends: int
    release: str
    limits: Mapping[str, float]

    def encode(self) -> str:
        """Writes the parameter's value."""
        return json.dumps(asdict(self), sort_keys=True)

    def is_same(self, other: Route | None) -> bool:
        """Whether another route, if there is one, is of the same canary."""
        return other is not None and (self.version, self.began) == (other.version, other.began)


def decode(value: str) -> Route:
    """Reads a parameter's value.

    Args:
        value: What the parameter holds.

    Returns:
        The route.

    Raises:
        ValueError: It is none.
    """
    try:
        told: dict[str, Any] = json.loads(value)
        return Route(**told)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the parameter is no route of a canary ({type(error).__name__})") from None


def folder(environment: str) -> str:
    """What the names of an environment's parameters begin with."""
    return f"/strandline/{environment}/"


def route_name(environment: str, agent: str) -> str:
    """Names the parameter of the route."""
    return f"{folder(environment)}{agent}/canary"


def ending_name(environment: str, agent: str) -> str:
    """Names the parameter that is there while a canary is being ended; who makes it ends the canary."""
    return f"{folder(environment)}{agent}/canary-end"


def new_session_id(route: Route | None = None, unique: uuid.UUID | None = None) -> str:
    """Makes the id of a new session, which says where the session goes.

    Args:
        route: The canary that is running, if one is.
        unique: What makes it unique; its first 32 bits decide.

    Returns:
        The id.
    """
    unique = unique or uuid.uuid4()
    if route is None:
        return f"strandline-{unique}"
    side = CANARY if unique.int >> 96 < route.share * 2**32 else LIVE
    return f"{session_mark(route.version)}{side}-{unique}"


def session_mark(version: str) -> str:
    """What the ids of all sessions begin with that were made while a version was the canary."""
    return f"strandline-v{version}-"


def endpoint_of(session_id: str) -> str:
    """Gives the endpoint that a session belongs to; ids that callers made up go to `live`."""
    found = _MARK.match(session_id)
    return found["side"] if found else LIVE
