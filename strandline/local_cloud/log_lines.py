"""The handler's log lines and metrics, which are JSON, as lines that a person reads."""

from __future__ import annotations

import json
from typing import Any

# Written out or the same in every line of a session's log.
_KNOWN = ("timestamp", "level", "logger", "message", "environment", "agent", "version", "bundle", "session", "stack")
_DIGITS_OF_DAY = len("2026-11-21T")
_SECONDS = len("08:40:30.123")


def readable(line: str) -> str:
    """Writes a line for a person.

    Args:
        line: A line of a log.

    Returns:
        What it says, if it is one of the handler's; else the line itself. A stack follows on lines of its own.
    """
    told = _read(line)
    if told is None:
        return line
    if "_aws" in told:
        return f"METRICS {_metrics(told)}"
    moment = str(told.get("timestamp", ""))[_DIGITS_OF_DAY:][:_SECONDS]
    rest = "".join(f" {name}={value}" for name, value in told.items() if name not in _KNOWN)
    stack = "".join(f"\n    {frame}" for frame in str(told.get("stack", "")).splitlines())
    return f"{moment} {told['level']} {told['logger']} {told['message']}{rest}{stack}"


def _read(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if "_aws" in told or {"level", "logger", "message"} <= told.keys() else None


def _metrics(told: dict[str, Any]) -> str:
    try:
        names = [metric["Name"] for metric in told["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    except (KeyError, IndexError, TypeError):
        names = []
    return " ".join(f"{name}={_short(told.get(name))}" for name in names)


def _short(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value
