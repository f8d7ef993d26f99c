"""What a plain scalar means: the core schema of YAML 1.2.2, section 10.3.

YAML 1.1, which PyYAML resolves by default, turns `no` into false, `12:30` into 750 and `2026-01-01` into a date.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)", re.ASCII)
_NANS = frozenset({".nan", ".NaN", ".NAN"})
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+", re.ASCII)
# Longer than any number that a field takes; Python itself refuses to convert thousands of digits.
_MAX_DIGITS = 64


def resolve(text: str) -> Scalar:
    """Resolve a plain scalar, one without quotes.

    Args:
        text: The scalar as written.

    Returns:
        Its value; the text itself when it is neither null, a boolean nor a number.
    """
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    # Most scalars are words: one look at the first character spares them five expressions.
    if text[0] not in "+-.0123456789" or len(text) > _MAX_DIGITS:
        return text
    return _number(text)


def has_leading_zero(text: str) -> bool:
    """Tell whether a plain scalar is a whole number that YAML 1.1 reads as octal and YAML 1.2 as decimal."""
    return _LEADING_ZERO.fullmatch(text) is not None


def _number(text: str) -> Scalar:
    if _INT.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float(text.replace(".", "", 1))
    if text in _NANS:
        return float("nan")
    return text
