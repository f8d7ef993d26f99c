"""Quoting what a user wrote, in a message that may end up in a log: never something with the shape of a secret."""

from __future__ import annotations

import re

_MAX_QUOTED = 60
_SECRET_SHAPES = re.compile(
    r"\b(?:sk|pk|rk|xai|hf|gsk|ghp|gho|github_pat|glpat|xox[abprs])[-_]\S{8,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|AIza\S{20,}|eyJ\S{20,}|Bearer\s+\S+|://[^/\s]*@",
)
# Found first and judged after: with look-aheads in one expression, 16 KB of one letter took 19 seconds.
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=]{32,}")
_DIGIT = re.compile(r"[0-9]")
_LETTER = re.compile(r"[A-Za-z]")


def looks_like_secret(text: str) -> bool:
    """Tell whether a text has the shape of a key or token, or holds a password in an address."""
    if _SECRET_SHAPES.search(text):
        return True
    runs = (run.group() for run in _LONG_RUN.finditer(text))
    return any(_DIGIT.search(run) and _LETTER.search(run) for run in runs)


def shown(text: str) -> str:
    """Quote a text for a message: whole when it is short, printable and no secret, else by its length only."""
    if looks_like_secret(text):
        return f"a text of {len(text)} characters, not shown: it may be a secret"
    if len(text) > _MAX_QUOTED or not text.isprintable():
        return f"a text of {len(text)} characters"
    return f"'{text}'"
