"""What a gateway of ours says of a limit: whose it is and when it resets.

Its error bodies have `owner` and `resets_at` beside OpenAI's members (`gateway/proxy/refusals.py`). Only what has the
shape of a name and of a time is told on; an endpoint's own words are not, because they may quote a key.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent_runtime.failures import BudgetSpentError, LimitReachedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent_runtime.failures import InvocationError

_BUDGET, _RATE = "budget_exceeded", "rate_limit_exceeded"
_KIND = re.compile(r"[a-z_]{1,32}")
_NAME = re.compile(r"(?!sk-)[A-Za-z0-9][A-Za-z0-9 ._/:-]{0,99}")


def limit_of(error: Mapping[str, Any], secrets: Iterable[str]) -> InvocationError | None:
    """Tells what limit an endpoint's error is about.

    LiteLLM without our hooks tells a spent budget by its type too, with 422 in later versions, and no owner.

    Args:
        error: The `error` of the body.
        secrets: Values that must not be quoted.

    Returns:
        The failure; nothing where the error tells no limit, or a limit of the rate without its owner.
    """
    kind, owner = error.get("type"), _owner(error.get("owner"), secrets)
    until = _until(error.get("resets_at"))
    if kind == _BUDGET:
        return BudgetSpentError(f"The budget of {owner or 'the key'} is spent{until or ': raise it, or wait'}.")
    if kind == _RATE and owner:
        return LimitReachedError(f"The limit of {owner} is reached{until or ': try again later'}.")
    return None


def _owner(told: object, secrets: Iterable[str]) -> str | None:
    if not isinstance(told, dict):
        return None
    kind, name = str(told.get("kind")), str(told.get("name"))
    if not _KIND.fullmatch(kind) or not _NAME.fullmatch(name) or any(secret in name for secret in secrets):
        return None
    return f"the {kind} {name}"


def _until(told: object) -> str | None:
    try:
        return f", and resets at {datetime.fromisoformat(str(told)).isoformat()}"
    except ValueError:
        return None
