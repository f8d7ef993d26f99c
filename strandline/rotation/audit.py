"""Who rotated what, and when: one JSON line a step, with ids of versions and never a value."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from strandline.targets import Target


def caller(target: Target) -> str:
    """Who AWS says that we are.

    Args:
        target: The environment.

    Returns:
        The ARN of whoever signs our calls; "unknown" where AWS does not tell.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return str(target.client("sts").get_caller_identity()["Arn"])
    except (ClientError, BotoCoreError):
        return "unknown"


def record(folder: Path, environment: str, who: str, step: str, versions: Mapping[str, str]) -> None:
    """Writes a step down.

    Args:
        folder: Where the records are.
        environment: Name of the environment, and of the file.
        who: The caller's ARN.
        step: What was done.
        versions: Id of the version by variable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    line = {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        "environment": environment,
        "who": who,
        "step": step,
        "versions": dict(versions),
    }
    with (folder / f"{environment}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
