"""What the model's endpoint tells of its answers besides their text: who answered, at what cost, after how many tries.

An endpoint tells it in the body and, if it is a LiteLLM proxy, in headers ("Response Headers", LiteLLM). What it does
not tell stays `None`: nothing is guessed. `docs/observability.md` says what cannot be known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

CostSource = Literal["response_body", "gateway_header", "litellm_prices"]
WarningType = Literal["fallback", "zero_cost", "dropped_parameter"]

DROPPED_HEADER = "x-strandline-dropped-params"
"""Header in which a gateway may name the parameters that it did not pass on, separated by commas."""

TIER_FALLBACK_HEADER = "x-strandline-tier-fallback"
"""Header in which a gateway of ours says that a weaker model than the one asked for answered."""

_LITELLM = "x-litellm-"
_UNPRICED = "The tokens of {model} are {told}: give it a price where it is configured, because budgets do not count it."


@dataclass(frozen=True, slots=True)
class AnswerWarning:
    """Something that the caller should know of the answer, though it is one.

    Attributes:
        type: What kind, for programs.
        message: What happened and what to do, for people.
    """

    type: WarningType
    message: str


@dataclass(slots=True)
class ModelAnswers:
    """What the endpoint told about the answers of one invocation, which may take many calls of the model.

    Attributes:
        model: Model that gave the last answer, as the endpoint names it.
        models: All models that answered, in the order of their first answer.
        headers: LiteLLM's `x-litellm-*` response headers of the last answer.
        calls: Answers that were begun.
        attempts: Requests that were made for them, as far as they are told: our own, and the gateway's.
        fallback: Whether another model than the one asked for answered; `None` where the endpoint does not tell.
        cost_usd: Cost of all answers in US dollars; `None` while no answer told one.
        cost_source: Where the cost of the last answer that has one comes from.
        told_usage: Whether the last answer told its usage.
        overhead_ms: Time that the gateway itself took, of all answers.
        call_ids: The gateway's ids of the calls, by which its log finds them.
        warnings: What should be known, each thing once.
    """

    model: str | None = None
    models: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    attempts: int = 0
    fallback: bool | None = None
    cost_usd: float | None = None
    cost_source: CostSource | None = None
    told_usage: bool = False
    overhead_ms: float | None = None
    call_ids: list[str] = field(default_factory=list)
    warnings: list[AnswerWarning] = field(default_factory=list)

    @property
    def retries(self) -> int:
        """Requests that were made because others failed."""
        return max(0, self.attempts - self.calls)

    def as_members(self, requested: str) -> dict[str, Any]:
        """Writes what is known as members of the answer, described in `docs/observability.md`.

        Args:
            requested: Model that the blueprint asks for.

        Returns:
            The members.
        """
        return {
            "model": {
                "requested": requested,
                "answered": self.model,
                "all_answered": list(self.models),
                "fallback": self.fallback,
                "calls": self.calls,
                "attempts": self.calls + self.retries,
            },
            "cost_usd": self.cost_usd,
            "cost_source": self.cost_source,
            "gateway": self._gateway(),
            "warnings": [{"type": warning.type, "message": warning.message} for warning in self.warnings],
        }

    def begin(self, headers: Mapping[str, str] | None = None) -> None:
        """Notes that an answer begins.

        Args:
            headers: Its HTTP headers, in lower case, where the client tells them.
        """
        self.calls += 1
        self.headers = {}
        if headers:
            self.hear(headers)

    def hear(self, headers: Mapping[str, str]) -> None:
        """Notes what the headers of the answer that began tell; once for each answer.

        Args:
            headers: The HTTP headers, in lower case.
        """
        self.headers = {name: value for name, value in headers.items() if name.startswith(_LITELLM)}
        self.attempts += int(self._number("attempted-retries") or 0) + int(self._number("attempted-fallbacks") or 0)
        overhead = self._number("overhead-duration-ms")
        if overhead is not None:
            self.overhead_ms = (self.overhead_ms or 0.0) + overhead
        if call_id := self.headers.get(_LITELLM + "call-id"):
            self.call_ids.append(call_id)
        self._note_fallback(is_weaker=headers.get(TIER_FALLBACK_HEADER) == "true")
        self.note_dropped(_names(headers))

    def note_attempt(self) -> None:
        """Notes that a request is sent, be it the first for an answer or one more."""
        self.attempts += 1

    def note_model(self, named: object) -> None:
        """Notes who answers.

        LiteLLM's body repeats the alias that was asked for; its header names the deployment that answered.

        Args:
            named: The model that the body names, if it names one.
        """
        name = self.headers.get(_LITELLM + "model-name") or named
        if isinstance(name, str) and name:
            self.model = name
            if name not in self.models:
                self.models.append(name)

    def end(self, usage: object, *, asked: Mapping[str, Any] | None = None) -> None:
        """Notes what one answer used, when it is complete.

        Args:
            usage: The answer's usage in OpenAI's shape, if it told one.
            asked: The request, to see by its answer what of it had no effect.
        """
        self.told_usage = usage is not None
        tokens = _amount(_member(usage, "total_tokens")) or 0
        in_body, in_header = _amount(_member(usage, "cost")), self._number("response-cost")
        if in_body is not None:
            self.add_cost(in_body, "response_body", tokens=tokens)
        elif in_header is not None:
            self.add_cost(in_header, "gateway_header", tokens=tokens)
        elif tokens and self.headers:
            # Since 1.102 LiteLLM leaves the cost out, where it was 0.0 before.
            self._warn("zero_cost", _UNPRICED.format(model=self.model or "the model", told="told without a cost"))
        self._note_unheeded(usage, asked or {})

    def add_cost(self, cost: float, source: CostSource, *, tokens: float) -> None:
        """Adds one answer's cost.

        Args:
            cost: In US dollars.
            source: Where it comes from.
            tokens: Tokens that the answer used.
        """
        self.cost_usd, self.cost_source = (self.cost_usd or 0.0) + cost, source
        if not cost and tokens:
            self._warn("zero_cost", _UNPRICED.format(model=self.model or "the model", told="told to cost 0 USD"))

    def note_dropped(self, parameters: Iterable[str]) -> None:
        """Notes parameters that the provider was not sent.

        Args:
            parameters: Their names.
        """
        for name in parameters:
            self._warn("dropped_parameter", f"The parameter {name} was not passed on to the provider: remove it.")

    def _gateway(self) -> dict[str, Any] | None:
        if not self.headers:
            return None
        return {
            "overhead_ms": self.overhead_ms,
            "call_ids": list(self.call_ids),
            "model_id": self.headers.get(_LITELLM + "model-id"),
            "model_group": self.headers.get(_LITELLM + "model-group"),
        }

    def _note_fallback(self, *, is_weaker: bool) -> None:
        fallbacks = self._number("attempted-fallbacks")
        if fallbacks is None:
            return
        self.fallback = bool(self.fallback) or fallbacks > 0
        if fallbacks:
            group = (
                self.headers.get(_LITELLM + "model-group")
                or self.headers.get(_LITELLM + "model-name")
                or "another model"
            )
            weaker = ", a weaker one" if is_weaker else ""
            self._warn(
                "fallback", f"The model that was asked for failed, and the gateway fell back to {group}{weaker}."
            )

    def _note_unheeded(self, usage: object, asked: Mapping[str, Any]) -> None:
        """Tells what an answer proves to have been ignored; of most parameters an answer proves nothing."""
        limit = asked.get("max_tokens") or asked.get("max_completion_tokens")
        written = _member(usage, "completion_tokens")
        thought = _member(_member(usage, "completion_tokens_details"), "reasoning_tokens") or 0
        if isinstance(limit, int) and isinstance(written, int) and written - thought > limit:
            self._warn(
                "dropped_parameter", f"The answer is longer than max_tokens allows ({limit}): the provider ignored it."
            )

    def _warn(self, kind: WarningType, message: str) -> None:
        warning = AnswerWarning(kind, message)
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _number(self, name: str) -> float | None:
        return _amount(self.headers.get(_LITELLM + name))


def _member(told: Any, name: str) -> Any:
    """A member of what a client tells, be it an object or decoded JSON."""
    return told.get(name) if isinstance(told, Mapping) else getattr(told, name, None)


def _amount(told: object) -> float | None:
    """A number that can be a cost, a count or a time."""
    try:
        number = float(told)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _names(headers: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in headers.get(DROPPED_HEADER, "").split(",") if name.strip()]


model_answers: ContextVar[ModelAnswers | None] = ContextVar("model_answers", default=None)
"""Set by an invocation, for the client at the other end of the agent library."""


async def note_request(_: object) -> None:
    """Notes a request that an `httpx` client sends: its hook for `request` events."""
    told = model_answers.get()
    if told:
        told.note_attempt()
