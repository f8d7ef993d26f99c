"""Who rotated what, and when: one JSON line a step, with ids of versions and never a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from strandline.callers import moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


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
        "time": moment(),
        "environment": environment,
        "who": who,
        "step": step,
        "versions": dict(versions),
    }
    with (folder / f"{environment}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
