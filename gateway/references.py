"""Small words of LiteLLM's `config.yaml`."""

from __future__ import annotations

from typing import Any

_PERIODS = {"day": "1d", "week": "7d", "month": "1mo"}


def reference(variable: str) -> str:
    """Point at a variable; LiteLLM reads it when it starts."""
    return f"os.environ/{variable}"


def duration(period: str) -> str:
    """Write a budget's period as LiteLLM does."""
    return _PERIODS[period]


def given(**values: Any) -> dict[str, Any]:
    """Keep what says something: neither nothing nor an empty list or mapping."""
    return {name: value for name, value in values.items() if value is not None and value not in ([], {})}
