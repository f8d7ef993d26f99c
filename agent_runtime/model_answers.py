"""What the model's endpoint tells of its answers besides their text: who answered, and at what cost."""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class ModelAnswers:
    """What the endpoint told about the answers of one invocation.

    Attributes:
        model: Model that gave the last answer, as the endpoint names it.
        headers: LiteLLM's `x-litellm-*` response headers of the last answer.
        cost_usd: Cost of all answers in US dollars; `None` while no answer told one.
        told_usage: Whether the last answer told its usage.
    """

    model: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cost_usd: float | None = None
    told_usage: bool = False

    def note_model(self, named: object) -> None:
        """Notes who answered.

        LiteLLM's body repeats the alias that was asked for; its header names the deployment that answered.

        Args:
            named: The model that the body names, if it names one.
        """
        name = self.headers.get("x-litellm-model-name") or named
        self.model = name if isinstance(name, str) and name else self.model

    def add_cost(self, usage: object) -> None:
        """Adds one answer's cost, if the endpoint told one in the usage or in a header.

        Args:
            usage: The answer's usage, if it told one.
        """
        self.told_usage = usage is not None
        told = getattr(usage, "cost", None)
        try:
            cost = float(self.headers.get("x-litellm-response-cost", "") if told is None else told)
        except (TypeError, ValueError):
            return
        if math.isfinite(cost) and cost >= 0:
            self.cost_usd = (self.cost_usd or 0.0) + cost


model_answers: ContextVar[ModelAnswers | None] = ContextVar("model_answers", default=None)
"""Set by an invocation, for the client at the other end of the agent library."""
