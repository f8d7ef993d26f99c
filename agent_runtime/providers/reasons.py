"""The words of an endpoint that may be shown: those about the request, without anything that looks like a key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ABOUT_THE_REQUEST = (400, 404, 413, 422)
_LONGEST_REASON = 500
# What keys look like, and anything long without a space in it.
_KEY_LIKE = re.compile(r"(?i)bearer\s+\S+|\b(?:sk|pk|key)-\S+|[A-Za-z0-9_\-+/=]{32,}")


def reason_of(status: int, said: object, secrets: Iterable[str]) -> str:
    """The endpoint's own words where they are about the request, unless they quote a secret.

    Args:
        status: HTTP status of the refusal.
        said: What the endpoint said.
        secrets: Values that must not be quoted.

    Returns:
        `: ` and the words, or nothing.
    """
    if status not in _ABOUT_THE_REQUEST or not isinstance(said, str):
        return ""
    if any(secret in said for secret in secrets):
        return ""
    return f": {_KEY_LIKE.sub('***', ' '.join(said.split()))[:_LONGEST_REASON].rstrip('.')}"
