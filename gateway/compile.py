"""From `gateway.yaml` to the `config.yaml` that the LiteLLM proxy starts with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from gateway.settings import MASTER_KEY, GatewayModel, GatewaySettings

if TYPE_CHECKING:
    from gateway.target import GatewayTarget


def compile_config(settings: GatewaySettings, target: GatewayTarget) -> str:
    """Write LiteLLM's configuration; the same input gives the same text. It holds names of variables, no secret.

    Args:
        settings: What the proxy serves.
        target: Where it runs.

    Returns:
        The text of `config.yaml`.
    """
    del target
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": _params(model)} for name, model in sorted(settings.models.items())
        ],
        "litellm_settings": {
            # A parameter that a provider does not know is an error, not something that quietly has no effect.
            "drop_params": False,
            "telemetry": False,
            "json_logs": True,
            "turn_off_message_logging": True,
            # Without it a stream tells its tokens and not its cost.
            "include_cost_in_streaming_usage": True,
        },
        "general_settings": {"master_key": _reference(MASTER_KEY)},
    }
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120)


def _params(model: GatewayModel) -> dict[str, Any]:
    params = {
        "model": model.model,
        "api_key": _reference(model.api_key_env) if model.api_key_env else None,
        "api_base": model.api_base,
        "mock_response": model.mock_response,
        "timeout": model.timeout_seconds,
    }
    return {name: value for name, value in params.items() if value is not None}


def _reference(variable: str) -> str:
    """Point at a variable; LiteLLM reads it when it starts."""
    return f"os.environ/{variable}"
