"""Who does something, and when: as a rotation's record and a release's lock have it alike."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from strandline.aws_errors import told

if TYPE_CHECKING:
    from strandline.targets import Target


def caller(target: Target) -> str:
    """Who AWS says that we are ("GetCallerIdentity", AWS STS, which needs no right).

    Args:
        target: The environment.

    Returns:
        The ARN of whoever signs our calls.

    Raises:
        EnvironmentFault: AWS does not tell.
    """
    with told("AWS", "AWS does not tell who signs our calls"):
        return str(target.client("sts").get_caller_identity()["Arn"])


def moment() -> str:
    """Now, in UTC, to the second."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
