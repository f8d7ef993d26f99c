"""The lines that our hooks write into a proxy's log, one for each request for inference."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS = 20


def request_lines(log: Path, **wanted: object) -> list[dict[str, Any]]:
    """Waits for lines with these members; a line is written a moment after its answer.

    Args:
        log: The proxy's log.
        wanted: Members and their values.

    Returns:
        The lines, at least one.
    """
    for _ in range(_SECONDS * 20):
        found = [line for line in _lines(log) if all(line.get(name) == value for name, value in wanted.items())]
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no line with {wanted} in {[*_lines(log)]}")


def _lines(log: Path) -> list[dict[str, Any]]:
    texts = [text for text in log.read_text().splitlines(keepends=True) if '"component":"Strandline"' in text]
    return [json.loads(text) for text in texts if text.endswith("\n")]
