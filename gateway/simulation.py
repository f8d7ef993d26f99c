"""The deployments of execution mode simulation: every model is answered by the simulator, and no provider is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.deployments import Price

PROVIDER = "strandline"
"""Name of the simulator among LiteLLM's providers."""

CUSTOM_PROVIDERS = ({"provider": PROVIDER, "custom_handler": "gateway.proxy.simulator.provider"},)
"""`litellm_settings.custom_provider_map`."""

# OpenAI's and LiteLLM's parameters that LiteLLM would refuse for a provider that it does not know. A simulated model
# takes what any real one takes.
_PARAMETERS = (
    "context_management",
    "include_server_side_tool_invocations",
    "metadata",
    "reasoning_effort",
    "response_format",
    "thinking",
    "user",
    "verbosity",
)
# The same for embeddings, where LiteLLM knows no list of what is allowed: OpenAI's clients always name an encoding.
_EMBEDDING_PARAMETERS = ("dimensions", "encoding_format")
_MILLION = 1_000_000


def simulated_deployment(name: str, *, model: str | None = None, price: Price | None = None) -> dict[str, Any]:
    """Writes an entry of LiteLLM's `model_list` that the simulator answers.

    Args:
        name: The model's public name.
        model: The provider's model that it stands for, by which LiteLLM knows a price.
        price: The model's price, where LiteLLM knows none.

    Returns:
        The entry. It names no key and no address.
    """
    info: dict[str, Any] = {}
    if model:
        info["simulated_model"] = model
    if price:
        # Not under LiteLLM's own names, which would have it count a second time.
        info["simulated_price"] = {"input": price.input_usd / _MILLION, "output": price.output_usd / _MILLION}
    entry = {
        "model_name": name,
        "litellm_params": {
            "model": f"{PROVIDER}/{name}",
            "allowed_openai_params": list(_PARAMETERS),
            "additional_drop_params": list(_EMBEDDING_PARAMETERS),
        },
    }
    return entry | ({"model_info": info} if info else {})
