# mypy: disable-error-code="import-not-found"
"""Take secret values out of text that is shown: the last words of code that failed go into CloudFormation's journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ministack.services import secretsmanager

_SHORTEST = 6
_MASK = "***"


def redact(text: str) -> str:
    """The text without any value that Secrets Manager holds, nor any member of a value that is a JSON object."""
    for value in sorted(_values(), key=len, reverse=True):
        text = text.replace(value, _MASK)
    return text


def _values() -> Iterator[str]:
    for _, record in list(secretsmanager._secrets.all_items()):
        for version in list(record.get("Versions", {}).values()):
            yield from (value for value in _parts(version.get("SecretString")) if len(value) >= _SHORTEST)


def _parts(value: str | None) -> list[str]:
    if not value:
        return []
    try:
        loaded: Any = json.loads(value)
    except ValueError:
        return [value]
    members = list(loaded.values()) if isinstance(loaded, dict) else []
    return [value, *(str(member) for member in members)]
