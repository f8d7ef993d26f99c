"""Whether what a model costs is counted, where somebody relies on it.

LiteLLM books a model that it knows no price of at 0 USD and says nothing; budgets then never move. A price of 0 that is
written down makes it pass over every budget ("Custom LLM Pricing", LiteLLM).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.strict import Fault
from gateway.facts import known_price

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.deployments import Deployment
    from gateway.settings import GatewayModel, GatewaySettings

_HINT = "add price: {input_usd: ..., output_usd: ...}, in US dollars for a million tokens"


def price_faults(settings: GatewaySettings) -> Iterator[Fault]:
    """Find the deployments whose cost would not count against a budget of `gateway.yaml` itself."""
    for name, model in settings.models.items():
        for place, deployment in _placed(model):
            if (settings.budget or deployment.budget) and (fault := uncounted(deployment)):
                yield Fault(*fault, ("models", name, *place))


def uncounted_models(settings: GatewaySettings, name: str) -> Iterator[tuple[str, str]]:
    """Find what keeps the cost of a model from being counted, its fallbacks included.

    Args:
        settings: What the gateway serves.
        name: The model or alias that is asked for.

    Yields:
        Each model that is not counted, and why.
    """
    for model in settings.may_answer(name):
        for deployment in settings.models[model].all_deployments:
            if fault := uncounted(deployment):
                yield model, fault[0]


def uncounted(deployment: Deployment) -> tuple[str, str] | None:
    """Tell why the cost of a deployment does not count, and how to mend it; nothing when it does."""
    if deployment.price is not None:
        message = "a price of 0 with a budget: LiteLLM would pass over every budget"
        return (message, "write what it costs you, or remove the budget") if deployment.price.is_zero else None
    known = known_price(deployment.model)
    if known is None:
        return f"LiteLLM knows no price of {deployment.model}, so no budget would count it", _HINT
    if known.is_zero:
        return f"LiteLLM's price of {deployment.model} is 0, so no budget would count it", _HINT
    return None


def _placed(model: GatewayModel) -> Iterator[tuple[tuple[str | int, ...], Deployment]]:
    for position, deployment in enumerate(model.all_deployments):
        place = () if model.model else ("deployments", position)
        yield (*place, "price" if deployment.price else "model"), deployment
