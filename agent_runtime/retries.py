"""When a call of a model's endpoint is made again: as OpenAI's own client decides it."""

from __future__ import annotations

import secrets
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

DEFAULT_RETRIES = 2

_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 8.0
_LONGEST_RETRY_AFTER_SECONDS = 60.0
_TIMEOUT, _CONFLICT, _TOO_MANY, _SERVER_FAULT = 408, 409, 429, 500


def delay_before_retry(retries_made: int, response: httpx.Response | None = None) -> float | None:
    """Tells how long to wait before a failed call is made again.

    A fault of the network, a timeout, a conflict, a limit of the rate and a fault of the server pass by themselves;
    other refusals do not. The endpoint's own `Retry-After` counts; nobody waits longer than a minute.

    Args:
        retries_made: Times that the call was made again already.
        response: What was answered; nothing when there was no answer.

    Returns:
        Seconds; `None` when the same call would be refused again.
    """
    if response is not None:
        told = _told_delay(response) or 0.0
        if not _passes(response) or told > _LONGEST_RETRY_AFTER_SECONDS:
            return None
        if told > 0:
            return told
    longest: float = min(_FIRST_DELAY_SECONDS * 2**retries_made, _LONGEST_DELAY_SECONDS)
    # Spread, so that those who were refused together do not come back together. Not by `random`, whose state a
    # snapshot would give to every session.
    return longest * (1 - secrets.randbelow(1000) / 4000)


def _passes(response: httpx.Response) -> bool:
    wish = response.headers.get("x-should-retry")
    if wish in ("true", "false"):
        return bool(wish == "true")
    return response.status_code in (_TIMEOUT, _CONFLICT, _TOO_MANY) or response.status_code >= _SERVER_FAULT


def _told_delay(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds or as a date (RFC 9110, 10.2.3), or OpenAI's own in milliseconds."""
    try:
        if milliseconds := response.headers.get("retry-after-ms"):
            return float(milliseconds) / 1000
        told = response.headers.get("retry-after", "")
        if told.strip().isdecimal():
            return float(told)
        moment: float = parsedate_to_datetime(told).timestamp()
        return moment - time.time()
    except (TypeError, ValueError):
        return None
