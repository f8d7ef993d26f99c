"""What is known of one request while it is answered: the hooks fill it, the middleware reads it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.proxy import metrics

if TYPE_CHECKING:
    from gateway.proxy.refusals import Refusal

_SERVER_FAULT = 500
_REFUSED = {
    "budget_exceeded": metrics.BUDGET_REFUSALS,
    "rate_limit_exceeded": metrics.RATE_LIMIT_REFUSALS,
    "invalid_api_key": metrics.KEY_REFUSALS,
}
_UNPRICED = "tokens were used and no cost is known: no budget counts them; give the model a price in gateway.yaml"


@dataclass(frozen=True, slots=True)
class Call:
    """The call of a model that answered.

    Attributes:
        answered_by: The deployment's model.
        prompt_tokens: Tokens of the request.
        completion_tokens: Tokens of the answer.
        cost_usd: What it cost, as LiteLLM counts it.
        from_cache: Whether the gateway's own cache answered.
    """

    answered_by: str | None
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    from_cache: bool

    @property
    def is_unpriced(self) -> bool:
        """Whether tokens were used that nobody will count."""
        return not self.cost_usd and not self.from_cache and self.prompt_tokens + self.completion_tokens > 0


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    Attributes:
        started: When it came, by the event loop's clock.
        first_byte: When its answer began.
        ended: When it ended.
        status: The HTTP status of the answer.
        call_id: LiteLLM's id of the call.
        model: The model that was asked for.
        owner: Alias of the key.
        team: Alias of the team.
        dropped: Parameters that the provider was not sent.
        is_weaker: Whether a weaker model than the one asked for answered.
        refusal: Why it was refused.
        failure: Type of the exception that ended it.
        call: The call that answered, once LiteLLM has counted it.
    """

    started: float
    first_byte: float | None = None
    ended: float | None = None
    status: int = _SERVER_FAULT
    call_id: str | None = None
    model: str | None = None
    owner: str | None = None
    team: str | None = None
    dropped: tuple[str, ...] = ()
    is_weaker: bool = False
    refusal: Refusal | None = None
    failure: str | None = None
    call: Call | None = None
    is_told: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing more will be learned: an answer is counted after it was sent, or before."""
        return self.ended is not None and (self.call is not None or self.failure is not None or self.status >= 400)  # noqa: PLR2004

    def tell(self) -> None:
        """Writes the request's line, once."""
        if not self.is_told:
            self.is_told = True
            metrics.lines.write(metrics.line_of(self._numbers(), self._details()))

    def _numbers(self) -> dict[str, float]:
        numbers: dict[str, float] = {
            metrics.REQUESTS: 1,
            metrics.ERRORS: int(self.status >= _SERVER_FAULT or (self.failure is not None and self.status < 400)),  # noqa: PLR2004
            metrics.TIER_FALLBACKS: int(self.is_weaker),
            metrics.DROPPED_PARAMETERS: len(self.dropped),
            metrics.UNPRICED: int(self.call is not None and self.call.is_unpriced),
            **{
                name: int(self.refusal is not None and _REFUSED[self.refusal.kind] == name)
                for name in _REFUSED.values()
            },
        }
        if self.ended is not None:
            numbers[metrics.LATENCY] = _milliseconds(self.ended - self.started)
        if self.first_byte is not None:
            numbers[metrics.TIME_TO_FIRST_BYTE] = _milliseconds(self.first_byte - self.started)
        if self.call is not None:
            numbers[metrics.PROMPT_TOKENS] = self.call.prompt_tokens
            numbers[metrics.COMPLETION_TOKENS] = self.call.completion_tokens
            numbers[metrics.COST] = self.call.cost_usd
        return numbers

    def _details(self) -> dict[str, Any]:
        call = self.call
        message = _UNPRICED if call and call.is_unpriced else None
        if self.is_weaker:
            message = f"{self.model} failed, and a weaker model answered" + (f"; {message}" if message else "")
        return {
            "level": "WARNING" if message or self.refusal or self.failure else "INFO",
            "component": "Strandline",
            "message": message or "request",
            "status": self.status,
            "call_id": self.call_id,
            "model": self.model,
            "answered_by": call.answered_by if call else None,
            "from_cache": call.from_cache if call else None,
            "owner": self.owner,
            "team": self.team,
            "dropped_parameters": list(self.dropped) or None,
            "refusal": self.refusal.kind if self.refusal else None,
            "failure": self.failure,
        }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


exchange: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
"""Set for a request; LiteLLM runs its callbacks in the request's context."""
