"""Durations as people write them: 30s, 15m, 12h, 90d."""

from __future__ import annotations

import re
from typing import Any

import typer

from agent_runtime.errors import InputError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FORM = re.compile(r"([0-9]{1,6})([smhd])")


def DurationOption(help: str) -> Any:
    """An option that takes a duration."""
    return typer.Option(metavar="DURATION", help=help)


def seconds_of(text: str, option: str) -> int:
    """Reads a duration.

    Args:
        text: What was written.
        option: Where, for the message.

    Returns:
        Its seconds.

    Raises:
        InputError: It is none.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InputError(f"{option} is {text!r}: write a duration such as 30s, 15m, 12h or 90d.")
    return int(match[1]) * _SECONDS[match[2]]
