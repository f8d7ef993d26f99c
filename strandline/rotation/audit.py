"""Who rotated what, and when: one JSON line a step, with ids of versions and never a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault
from strandline.callers import caller, moment
from strandline.console import stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from strandline.targets import Target

UNKNOWN = "unknown"


def open_record(folder: Path, target: Target) -> Callable[[str, Mapping[str, str]], None]:
    """Opens the record of an environment, which stops no rotation: a leaked key is replaced whatever it can say.

    Args:
        folder: Where the records are.
        target: The environment.

    Returns:
        Writes a step down, with the id of the version by variable; says so where that cannot be done.
    """
    try:
        who = caller(target)
    except EnvironmentFault:
        who = UNKNOWN
    name = target.environment.name
    file = folder / f"{name}.jsonl"

    def record(step: str, versions: Mapping[str, str]) -> None:
        said = {"time": moment(), "environment": name, "who": who, "step": step, "versions": dict(versions)}
        line = json.dumps(said)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8") as lines:
                lines.write(line + "\n")
        except OSError as fault:
            told = f"{file} cannot be written ({fault.strerror}). Keep its line yourself: {line}"
            stderr.print(told, style="yellow", markup=False, highlight=False, soft_wrap=True)

    return record
