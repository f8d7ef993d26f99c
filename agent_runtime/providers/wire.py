"""What a blueprint says of its model, in the words of OpenAI's "Create chat completion"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_runtime.blueprint import Blueprint

PROXY_PREFIX = "litellm_proxy/"
PROXY_PARAMETER = "use_litellm_proxy"
_EXTRA_BODY = "extra_body"
_PLAIN_CACHE = ("default", "none")


def parameters_of(blueprint: Blueprint) -> dict[str, Any]:
    """All parameters that the blueprint's model is asked with.

    Args:
        blueprint: The agent.

    Returns:
        Members of a request's body. What the author put into `params.extra_body`, as the libraries have it, is among
        them.
    """
    model = blueprint.model
    written: dict[str, Any] = model.model_dump(include={"params"})["params"]
    extra = written.pop(_EXTRA_BODY, None)
    written |= extra if isinstance(extra, dict) else {}
    written.pop(PROXY_PARAMETER, None)
    parameters = {"temperature": model.temperature, "max_tokens": model.max_tokens, **written}
    if model.cache_prompt not in _PLAIN_CACHE:
        parameters["prompt_cache_key"] = model.cache_prompt
    thinking = thinking_of(blueprint)
    return parameters | ({"thinking": thinking} if thinking else {})


def thinking_of(blueprint: Blueprint) -> dict[str, Any] | None:
    """Extended thinking as Anthropic's API and LiteLLM write it; None when the model is not to think."""
    thinking = blueprint.thinking
    if thinking is None or not thinking.enabled:
        return None
    return {"type": "enabled", "budget_tokens": thinking.budget_tokens}


def without_thinking_if_forced(request: dict[str, Any]) -> dict[str, Any]:
    """Takes extended thinking out of a request that leaves the model no choice but a tool.

    Claude does one or the other: "Thinking may not be enabled when tool_choice forces tool use" (Anthropic, "Building
    with extended thinking"). Strands does the same for Bedrock.

    Args:
        request: A request in OpenAI's or Anthropic's words.

    Returns:
        The request; the same one where nothing is to be taken out.
    """
    choice = request.get("tool_choice")
    if choice in (None, "auto", "none") or (isinstance(choice, dict) and choice.get("type") in ("auto", "none")):
        return request
    # LiteLLM makes thinking of Claude's effort; OpenAI's own models take both.
    taken = ("thinking", "reasoning_effort") if "claude" in str(request.get("model")).lower() else ("thinking",)
    kept = {name: value for name, value in request.items() if name not in taken}
    if isinstance(kept.get("extra_body"), dict):
        kept["extra_body"] = {name: value for name, value in kept["extra_body"].items() if name not in taken}
    return kept


def model_behind_proxy(model_id: str) -> str:
    """The model's name on the wire; `litellm_proxy/` is a word to LiteLLM's library and no part of it."""
    return model_id.removeprefix(PROXY_PREFIX)
