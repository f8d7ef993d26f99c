"""Which parameters of a request the provider was not sent, so that the response can say so.

LiteLLM leaves out what a provider's adapter does not take, where the model says `drop_params`, and tells nobody
("Drop Unsupported Params", LiteLLM).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import litellm
from litellm.utils import provider_rejectable_params

if TYPE_CHECKING:
    from collections.abc import Mapping

# Parameters of LiteLLM's own function, which no provider is asked about.
_OWN = {"messages", "metadata", "api_version", "drop_params", "additional_drop_params", "allowed_openai_params"}


def dropped_parameters(asked: Mapping[str, Any], deployment: Mapping[str, Any]) -> tuple[str, ...]:
    """Tells what of a request had no effect, judged as LiteLLM judges it.

    Args:
        asked: The request.
        deployment: `litellm_params` of the deployment that answered.

    Returns:
        The names, sorted; none where LiteLLM has no list for the provider.
    """
    configured = deployment.get("additional_drop_params") or ()
    left_out = {name for name in configured if name in asked}
    allowed = {*(deployment.get("allowed_openai_params") or ()), *(asked.get("allowed_openai_params") or ())}
    taken = _taken(str(deployment.get("model") or ""), deployment.get("custom_llm_provider"))
    if taken is not None:
        # LangChain sends n=1, which is the default and which LiteLLM leaves out without a word.
        judged = {name for name in provider_rejectable_params(asked) if not (name == "n" and asked[name] == 1)}
        left_out |= judged - taken - allowed - _OWN
    return tuple(sorted(left_out))


@lru_cache(maxsize=256)
def _taken(model: str, provider: str | None) -> frozenset[str] | None:
    try:
        name, provider, _, _ = litellm.get_llm_provider(model=model, custom_llm_provider=provider)
        taken = litellm.get_supported_openai_params(model=name, custom_llm_provider=provider)
    except Exception:
        # The adapters raise whatever their lookup meets. Not to know is no reason to fail an answer that is there.
        return None
    return frozenset(taken) if taken else None
