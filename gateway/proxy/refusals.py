"""From what LiteLLM raises to an error that a caller can act on: of what kind, whose limit it is, when it resets.

LiteLLM tells a hash of the key, ids of deployments, or a provider's own words, and the reset time in the middle of a
sentence or not at all. The body keeps OpenAI's shape ("Error codes", OpenAI); `owner` and `resets_at` are added to it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from litellm.exceptions import BudgetExceededError, RateLimitError
from litellm.proxy._types import ProxyException
from litellm.proxy.common_utils.proxy_rate_limit_error import ProxyRateLimitError
from litellm.types.router import RouterRateLimitError

if TYPE_CHECKING:
    from litellm.proxy._types import UserAPIKeyAuth

Kind = Literal["budget_exceeded", "rate_limit_exceeded", "invalid_api_key"]

UNKNOWN_KEY: Final = "invalid_api_key"
"""OpenAI's code for a key that is none."""

_TOO_MANY, _UNAUTHORIZED = 429, 401
# What OpenAI's clients wait for at most before they try again; a later reset is the caller's business.
_LONGEST_WAIT_SECONDS = 60
# How LiteLLM's limiter words it; the descriptor is the kind of owner.
_LIMITED = re.compile(r"exceeded for (?P<kind>\w+): .*?\. Limit type: (?P<what>\w+)\. Current limit: (?P<limit>\d+)")
# How it words the rpm and tpm of a deployment, where it names no provider.
_OWN_LIMIT = re.compile(r"(?P<unit>RPM|TPM) limit=(?P<limit>\d+)")
_UNITS = {"RPM": "requests", "TPM": "tokens"}
_OWNERS = {"api_key": "key", "model_per_key": "key", "model_per_team": "team", "team_member": "team"}
# What LiteLLM calls it, with and without a database.
_UNKNOWN_KEY = ("token_not_found_in_db", "no_db_connection")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose limit it is.

    Attributes:
        kind: key, team, user, model, provider ...
        name: The alias under which its administrator knows it; never the key.
    """

    kind: str
    name: str | None

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}" if self.name else f"the {self.kind}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal as a caller sees it.

    Attributes:
        kind: What kind it is: OpenAI's `type`, and its `code`.
        message: What happened, for people.
        status: HTTP status.
        owner: Whose limit it is.
        resets_at: When the limit ends, where that is known.
        limit: What is limited, in a word: usd, requests, tokens.
        limit_value: How much of it is allowed.
    """

    kind: Kind
    message: str
    status: int = _TOO_MANY
    owner: Owner | None = None
    resets_at: datetime | None = None
    limit: str | None = None
    limit_value: float | None = None

    def body(self) -> dict[str, Any]:
        """The body, in OpenAI's shape."""
        kind = "invalid_request_error" if self.kind == UNKNOWN_KEY else self.kind
        error: dict[str, Any] = {"message": self.message, "type": kind, "param": None, "code": self.kind}
        if self.owner:
            error["owner"] = {"kind": self.owner.kind, "name": self.owner.name}
            error["limit"] = {"of": self.limit, "value": self.limit_value}
            error["resets_at"] = _iso(self.resets_at) if self.resets_at else None
        return {"error": error}

    def headers(self, now: datetime) -> dict[str, str]:
        """What OpenAI's clients read to know whether, and when, to try again.

        Args:
            now: The time.

        Returns:
            The headers.
        """
        if self.status != _TOO_MANY:
            return {"www-authenticate": "Bearer"}
        seconds = max(1, math.ceil((self.resets_at - now).total_seconds())) if self.resets_at else None
        is_soon = self.kind == "rate_limit_exceeded" and (seconds is None or seconds <= _LONGEST_WAIT_SECONDS)
        told = {"x-should-retry": "true" if is_soon else "false"}
        return {"retry-after": str(seconds), **told} if seconds else told


def refusal_of(error: Exception, caller: UserAPIKeyAuth, model: object, now: datetime) -> Refusal | None:
    """Describes a refusal of LiteLLM's.

    Args:
        error: What it raised.
        caller: Who called.
        model: The model that was asked for.
        now: The time.

    Returns:
        The refusal; nothing for an error of another kind, which LiteLLM words itself.
    """
    if isinstance(error, BudgetExceededError):
        return _over_budget(error, caller)
    if isinstance(error, ProxyRateLimitError):
        return _over_limit(error, caller, now)
    if isinstance(error, RouterRateLimitError):
        return _at_rest(error, now)
    if isinstance(error, RateLimitError):
        return _provider_limits(error, model, now)
    if isinstance(error, ProxyException) and (error.type in _UNKNOWN_KEY or error.openai_code == UNKNOWN_KEY):
        return Refusal(UNKNOWN_KEY, "The gateway does not know this API key.", _UNAUTHORIZED)
    return None


def _over_budget(error: BudgetExceededError, caller: UserAPIKeyAuth) -> Refusal:
    kind = error.entity_type or "key"
    owner = Owner(kind, _name(kind, error.entity_id, caller))
    resets_at = _moment(caller.budget_reset_at) if kind == "key" else None
    until = f"It resets at {_iso(resets_at)}." if resets_at else "Raise it, or wait for its period to end."
    message = f"The budget of {owner} is spent: {error.current_cost:.6g} of {error.max_budget:.6g} USD. {until}"
    return Refusal(
        "budget_exceeded", message, owner=owner, resets_at=resets_at, limit="usd", limit_value=error.max_budget
    )


def _over_limit(error: ProxyRateLimitError, caller: UserAPIKeyAuth, now: datetime) -> Refusal:
    found = _LIMITED.search(str(error.detail))
    described = found["kind"] if found else "api_key"
    kind = _OWNERS.get(described, described)
    owner = Owner(kind, _name(kind, None, caller))
    seconds = _seconds((error.headers or {}).get("retry-after"))
    what, value = (found["what"], float(found["limit"])) if found else (str(error.rate_limit_type), None)
    allowed = f"{value:g} {what} a minute" if value is not None else what
    return _limited(f"The limit of {owner} is reached: {allowed}.", owner, now, seconds, what, value)


def _at_rest(error: RouterRateLimitError, now: datetime) -> Refusal:
    owner = Owner("model", error.model)
    message = f"No deployment of {owner} may be asked now: each is at its limit, or rests after failures."
    return _limited(message, owner, now, error.cooldown_time, "deployments", None)


def _provider_limits(error: RateLimitError, model: object, now: datetime) -> Refusal:
    headers = getattr(error, "litellm_response_headers", None) or getattr(error.response, "headers", None) or {}
    seconds = _seconds(headers.get("retry-after"))
    if own := None if error.llm_provider else _OWN_LIMIT.search(error.message):
        owner, what, value = Owner("model", str(model)), _UNITS[own["unit"]], float(own["limit"])
        return _limited(
            f"The limit of {owner} is reached: {value:g} {what} a minute.", owner, now, seconds, what, value
        )
    owner = Owner("provider", error.llm_provider or None)
    message = f"The provider of {model} limits the gateway's requests, and no other deployment or fallback answered."
    return _limited(message, owner, now, seconds, "requests", None)


def _limited(said: str, owner: Owner, now: datetime, seconds: float | None, what: str, value: float | None) -> Refusal:
    resets_at = now + timedelta(seconds=math.ceil(seconds)) if seconds else None
    until = f" It resets at {_iso(resets_at)} at the latest." if resets_at else ""
    return Refusal("rate_limit_exceeded", said + until, owner=owner, resets_at=resets_at, limit=what, limit_value=value)


def _name(kind: str, told: str | None, caller: UserAPIKeyAuth) -> str | None:
    if kind == "key":
        # LiteLLM tells a hash of the key, which is nobody's name for it.
        return caller.key_alias
    if kind == "team":
        return caller.team_alias or caller.team_id
    if kind == "user":
        return caller.user_id
    return told


def _moment(told: object) -> datetime | None:
    if isinstance(told, str):
        try:
            told = datetime.fromisoformat(told)
        except ValueError:
            return None
    if not isinstance(told, datetime):
        return None
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


def _seconds(told: object) -> float | None:
    try:
        seconds = float(str(told))
    except ValueError:
        return None
    return seconds if 0 < seconds < math.inf else None


def _iso(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
