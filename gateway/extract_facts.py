"""Writes `gateway/litellm_facts.json`: what the pinned LiteLLM knows of providers, models and prices.

Run by the gateway's own Python, which has that LiteLLM: `python gateway/extract_facts.py gateway/litellm_facts.json`.
Synth reads the file, because importing LiteLLM takes three seconds; a test holds it to the version that is locked.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

_MODES = ("chat", "completion", "responses", "embedding")
_UNKNOWN_MODEL = "strandline-unknown-model"
# Parameters of `completion` itself, which no provider is asked about.
_OWN = {"model", "messages", "custom_llm_provider", "api_version", "metadata"}
_OWN |= {"drop_params", "additional_drop_params", "allowed_openai_params"}

NOT_JUDGED = -1


def extract() -> str:
    """Ask LiteLLM.

    Returns:
        The text of the file. `refused` are the sets of parameters that LiteLLM does not send on; `providers` has, for
        each provider, the position of the set for a model that LiteLLM has never heard of; `models` has, for each
        provider/model, the price of a token in and out in US dollars and the position of the set.
    """
    import litellm

    litellm.suppress_debug_info = True
    names = sorted(str(getattr(one, "value", one)) for one in litellm.provider_list)
    sets: list[tuple[str, ...]] = []
    providers = {name: _position(sets, _refused(_UNKNOWN_MODEL, name)) for name in names}
    models: dict[str, list[Any]] = {}
    for key, entry in litellm.model_cost.items():
        provider = _route(str(entry.get("litellm_provider") or ""))
        name = key if key.startswith(f"{provider}/") else f"{provider}/{key}"
        if entry.get("mode") not in _MODES or provider not in providers or name.lower() in models:
            continue
        if price := _price(name):
            embeds = entry["mode"] == "embedding"
            refused = None if embeds else _refused(name.partition("/")[2], provider)
            models[name.lower()] = [*price, _position(sets, refused)]
    facts = {"litellm": version("litellm"), "refused": sets, "providers": providers}
    return _text({**facts, "models": dict(sorted(models.items()))})


def _route(provider: str) -> str:
    """Name a provider of the price map as `gateway.yaml` does: as LiteLLM routes by it."""
    if provider.startswith("vertex_ai"):
        return "vertex_ai"
    return "bedrock" if provider == "bedrock_converse" else provider


def _price(name: str) -> tuple[float | None, float | None] | None:
    import litellm

    try:
        info = litellm.get_model_info(name)
    except Exception:
        # LiteLLM raises whatever its lookup meets; the model is then one that it does not know.
        return None
    return info.get("input_cost_per_token"), info.get("output_cost_per_token")


def _refused(model: str, provider: str) -> tuple[str, ...] | None:
    """Find what `get_optional_params` of LiteLLM refuses; nothing where it has no list for the provider."""
    import litellm
    from litellm.constants import DEFAULT_CHAT_COMPLETION_PARAM_VALUES
    from litellm.utils import PROVIDER_UNVALIDATED_PARAMS

    try:
        taken = litellm.get_supported_openai_params(model=model, custom_llm_provider=provider)
    except Exception:
        # Some providers want a key or the network to say.
        return None
    judged = set(DEFAULT_CHAT_COMPLETION_PARAM_VALUES) - _OWN - set(PROVIDER_UNVALIDATED_PARAMS)
    return tuple(sorted(judged - set(taken))) if taken else None


def _position(sets: list[tuple[str, ...]], one: tuple[str, ...] | None) -> int:
    if one is None:
        return NOT_JUDGED
    if one not in sets:
        sets.append(one)
    return sets.index(one)


def _text(facts: dict[str, Any]) -> str:
    """One line for each provider and model, so that a change of version shows as a change of lines."""
    blocks = []
    for key, value in facts.items():
        if isinstance(value, dict):
            rows = [f"  {json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in value.items()]
            blocks.append(f"{json.dumps(key)}: {{\n" + ",\n".join(rows) + "\n}")
        elif isinstance(value, list):
            rows = [f"  {json.dumps(one)}" for one in value]
            blocks.append(f"{json.dumps(key)}: [\n" + ",\n".join(rows) + "\n]")
        else:
            blocks.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


if __name__ == "__main__":
    # LiteLLM prints as it likes, so its output is no place for ours.
    Path(sys.argv[1]).write_text(extract(), encoding="utf-8")
