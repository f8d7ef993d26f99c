"""The formats of JSON Schema that `jsonschema` checks only when further packages are installed."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from functools import cache
from typing import Any
from urllib.parse import urlsplit

_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DURATION = re.compile(
    r"P(?!$)((\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?|\d+W)", re.ASCII
)  # fmt: skip
# RFC 3986's characters; what is not ASCII belongs into an IRI.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# One @, a dotted host, no spaces: what can be delivered to, without the quoted forms that nobody uses.
_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\\\]]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)+")
_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)
_LONGEST_HOST = 253


@cache
def format_checker() -> Any:
    """Gives the checker of all formats, also of those that `jsonschema` leaves out by default."""
    from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

    checker = FormatChecker()
    checker.checkers = dict(Draft202012Validator.FORMAT_CHECKER.checkers)
    for name, is_valid in _CHECKS.items():
        checker.checkers[name] = (lambda value, test=is_valid: not isinstance(value, str) or test(value), ())
    return checker


def _is_date(text: str) -> bool:
    return bool(_DATE.fullmatch(text)) and _parses(date, text)


def _is_date_time(text: str) -> bool:
    # A leap second is a time; `datetime` does not know it.
    return bool(_DATE_TIME.fullmatch(text)) and _parses(datetime, text.upper().replace(":60", ":59"))


def _is_time(text: str) -> bool:
    return bool(_TIME.fullmatch(text)) and _parses(time, text.upper().replace(":60", ":59"))


def _is_duration(text: str) -> bool:
    return bool(_DURATION.fullmatch(text))


def _is_email(text: str) -> bool:
    local = text.partition("@")[0]
    return bool(_EMAIL.fullmatch(text)) and not (local.startswith(".") or local.endswith(".") or ".." in local)


def _is_uri(text: str) -> bool:
    if not _URI.fullmatch(text) or _BROKEN_ESCAPE.search(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.netloc) if parts.scheme in ("http", "https") else True


def _is_hostname(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_HOST and all(_HOST_LABEL.fullmatch(label) for label in text.split("."))


def _parses(kind: type[date] | type[datetime] | type[time], text: str) -> bool:
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True


_CHECKS = {
    "date": _is_date,
    "date-time": _is_date_time,
    "time": _is_time,
    "duration": _is_duration,
    "email": _is_email,
    "hostname": _is_hostname,
    "uri": _is_uri,
}
