"""The routing, cache and budget of LiteLLM's `config.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from gateway.references import duration, given, reference

if TYPE_CHECKING:
    from gateway.policies import FailsByError, RetriesByError
    from gateway.settings import GatewaySettings
    from gateway.target import GatewayTarget

_STRATEGIES = {
    "simple-shuffle": "simple-shuffle",
    "least-busy": "least-busy",
    "latency-based": "latency-based-routing",
    "cost-based": "cost-based-routing",
}
_ERRORS = {
    "bad_request": "BadRequestError",
    "authentication": "AuthenticationError",
    "timeout": "TimeoutError",
    "rate_limit": "RateLimitError",
    "content_policy": "ContentPolicyViolationError",
    "internal_server": "InternalServerError",
    "service_unavailable": "ServiceUnavailableError",
}
_FallbackField = Literal["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"]


def compile_router(settings: GatewaySettings, target: GatewayTarget) -> dict[str, Any]:
    """Write `router_settings`.

    Args:
        settings: What the proxy serves.
        target: Where it runs.

    Returns:
        The block.
    """
    routing, retries, cooldown = settings.routing, settings.retries, settings.cooldown
    return {
        "routing_strategy": _STRATEGIES[routing.strategy],
        "timeout": routing.timeout_seconds,
        "num_retries": retries.count,
        "retry_after": retries.wait_seconds,
        "max_fallbacks": routing.max_fallbacks,
        "enable_pre_call_checks": routing.check_context_window,
        "allowed_fails": cooldown.allowed_fails,
        "cooldown_time": cooldown.seconds,
        "disable_cooldowns": not cooldown.enabled,
        **given(
            retry_policy=_by_error(retries.by_error, "Retries"),
            allowed_fails_policy=_by_error(cooldown.by_error, "AllowedFails"),
            model_group_alias=dict(sorted(settings.aliases.items())),
            default_fallbacks=list(routing.default_fallbacks),
            fallbacks=_fallbacks(settings, "fallbacks"),
            context_window_fallbacks=_fallbacks(settings, "context_window_fallbacks"),
            content_policy_fallbacks=_fallbacks(settings, "content_policy_fallbacks"),
            optional_pre_call_checks=_checks(settings, target),
        ),
    }


def compile_cache(settings: GatewaySettings, target: GatewayTarget) -> dict[str, Any]:
    """Write what `litellm_settings` says of the cache."""
    cache = settings.cache
    if cache.type == "off":
        return {}
    params: dict[str, Any] = {"type": "local", "ttl": cache.ttl_seconds}
    # Host, password and TLS of a Redis LiteLLM takes from REDIS_*. In simulation there is none: each task has its own.
    if cache.type == "redis" and target.redis:
        params["type"] = "redis"
    elif cache.type == "semantic" and target.redis:
        params |= {
            # ElastiCache has vector search in Valkey, and redis-semantic would want a package that only it needs.
            "type": "valkey-semantic",
            "host": reference("REDIS_HOST"),
            "port": reference("REDIS_PORT"),
            "password": reference("REDIS_PASSWORD"),
            "ssl": reference("REDIS_SSL"),
            "similarity_threshold": cache.similarity,
            "valkey_semantic_cache_embedding_model": cache.embedding_model,
        }
    return {"cache": True, "cache_params": params}


def outside_budget(settings: GatewaySettings, target: GatewayTarget) -> dict[str, Any]:
    """Write what `litellm_settings` says of the whole gateway's budget; without a database nobody would count it."""
    budget = settings.budget
    if budget is None or target.profile == "stateless":
        return {}
    return {"max_budget": budget.max_usd, "budget_duration": duration(budget.per)}


def _by_error(policy: RetriesByError | FailsByError, suffix: str) -> dict[str, int]:
    written = policy.model_dump(exclude_none=True)
    return {f"{_ERRORS[name]}{suffix}": count for name, count in written.items()}


def _fallbacks(settings: GatewaySettings, field: _FallbackField) -> list[dict[str, list[str]]]:
    """LiteLLM looks for fallbacks by the name that was asked for, so an alias has those of its model."""
    return [
        {name: list(targets)}
        for name in settings.names
        if (targets := getattr(settings.models[settings.resolve(name)], field))
    ]


def _checks(settings: GatewaySettings, target: GatewayTarget) -> list[str]:
    # Without it rpm and tpm only weigh the deployments against each other. In simulation no deployment has limits.
    limited = any(one.has_rate_limit for model in settings.models.values() for one in model.all_deployments)
    return ["enforce_model_rate_limits"] if limited and not target.simulates else []
