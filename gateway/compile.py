"""From `gateway.yaml` to the `config.yaml` that the LiteLLM proxy starts with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from gateway.compiled_models import compile_models
from gateway.compiled_policies import compile_cache, compile_router, outside_budget
from gateway.compiled_services import compile_guardrails, compile_services
from gateway.proxy.keys import MASTER_KEY
from gateway.references import given, reference
from gateway.simulation import CUSTOM_PROVIDERS

if TYPE_CHECKING:
    from gateway.settings import GatewaySettings
    from gateway.target import GatewayTarget

# The code of ours that runs inside the proxy, by the names that LiteLLM imports it by.
HOOKS = "gateway.proxy.hooks.hooks"
AUTHENTICATION = "gateway.proxy.auth.authenticate"


def compile_config(settings: GatewaySettings, target: GatewayTarget) -> str:
    """Write LiteLLM's configuration; the same input gives the same text. It holds names of variables, no secret.

    In simulation there is no deployment but the simulator's, and neither a guardrail nor a service that is told of
    calls: nothing leaves the machine, and no key is needed.

    Args:
        settings: What the proxy serves.
        target: Where it runs.

    Returns:
        The text of `config.yaml`.
    """
    services = compile_services(settings, target)
    config = {
        "model_list": compile_models(settings, target),
        "router_settings": compile_router(settings, target),
        "litellm_settings": {
            # A parameter that a provider does not know is an error, not something that quietly has no effect; a model
            # that is to drop it says so of its own.
            "drop_params": False,
            "telemetry": False,
            "json_logs": True,
            "turn_off_message_logging": not settings.callbacks.content,
            # Without it a stream tells its tokens and not its cost.
            "include_cost_in_streaming_usage": True,
            **given(
                callbacks=[HOOKS, *services.callbacks],
                custom_provider_map=list(CUSTOM_PROVIDERS) if target.simulates else None,
            ),
            **compile_cache(settings, target),
            **outside_budget(settings, target),
        },
        "general_settings": _general(target),
        **given(
            guardrails=compile_guardrails(settings, target),
            callback_settings=services.settings,
            environment_variables=services.variables,
        ),
    }
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120)


def _general(target: GatewayTarget) -> dict[str, Any]:
    settings: dict[str, Any] = {"master_key": reference(MASTER_KEY)}
    if target.profile == "stateless":
        settings["custom_auth"] = AUTHENTICATION
    if target.redis:
        # Named here, a Redis that is away keeps the task from starting; found in the environment alone, LiteLLM would
        # count limits in each task by itself and say so in a log line. Password and TLS it takes from REDIS_*.
        settings["coordination_redis"] = {"host": reference("REDIS_HOST"), "port": reference("REDIS_PORT")}
    return settings
