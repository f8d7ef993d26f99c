"""The `model_list` of LiteLLM's `config.yaml`: every deployment of every model."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gateway.deployments import uses_aws_role, uses_google_credentials
from gateway.references import duration, given, reference
from gateway.simulation import simulated_deployment

if TYPE_CHECKING:
    from gateway.deployments import Deployment
    from gateway.settings import GatewayModel, GatewaySettings
    from gateway.target import GatewayTarget

# Key of `model_info`, which LiteLLM keeps and does not read: how strong a model is, for our hook to tell a fallback to
# a weaker one.
TIER = "strandline_tier"
_MILLION = 1_000_000


def compile_models(settings: GatewaySettings, target: GatewayTarget) -> list[dict[str, Any]]:
    """Write the deployments.

    Args:
        settings: What the proxy serves.
        target: Where it runs.

    Returns:
        The `model_list`; in simulation one deployment for each name, answered by the simulator.
    """
    if target.simulates:
        simulated = sorted({*settings.models, *target.simulated_models} - set(settings.aliases))
        return [_simulated(name, settings.models.get(name)) for name in simulated]
    return [
        {"model_name": name, "litellm_params": _params(deployment, model), "model_info": _info(name, number, model)}
        for name, model in sorted(settings.models.items())
        for number, deployment in enumerate(model.all_deployments, start=1)
    ]


def _info(name: str, number: int, model: GatewayModel | None) -> dict[str, Any]:
    # An id of our own stays the same when a limit changes, so that what was spent and cooled down is remembered.
    return {"id": f"{name}/{number}", **given(**{TIER: model.tier if model else None})}


def _simulated(name: str, model: GatewayModel | None) -> dict[str, Any]:
    """What a simulated call costs is what the real one would, so that budgets and reports can be tried."""
    first = model.all_deployments[0] if model else None
    entry = simulated_deployment(name, model=first.model if first else None, price=first.price if first else None)
    return {
        **entry,
        "litellm_params": entry["litellm_params"] | given(mock_response=first.mock_response if first else None),
        "model_info": _info(name, 1, model) | entry.get("model_info", {}),
    }


def _params(deployment: Deployment, model: GatewayModel) -> dict[str, Any]:
    key = reference(deployment.api_key_env) if deployment.api_key_env else None
    google = uses_google_credentials(deployment.provider)
    return given(
        model=deployment.model,
        api_key=None if google else key,
        api_base=deployment.api_base,
        api_version=deployment.api_version,
        vertex_credentials=key if google else None,
        vertex_project=deployment.project,
        vertex_location=deployment.region if google else None,
        aws_region_name=deployment.region if uses_aws_role(deployment.provider) else None,
        rpm=deployment.rpm,
        tpm=deployment.tpm,
        max_parallel_requests=deployment.max_parallel_requests,
        weight=deployment.weight,
        order=deployment.priority,
        timeout=deployment.timeout_seconds,
        stream_timeout=deployment.stream_timeout_seconds,
        drop_params=True if model.unsupported_parameters == "drop" else None,
        mock_response=deployment.mock_response,
        **_price(deployment),
        **_budget(deployment),
    )


def _price(deployment: Deployment) -> dict[str, float]:
    if deployment.price is None:
        return {}
    price = deployment.price
    return {
        name: float(Decimal(str(value)) / _MILLION)
        for name, value in {
            "input_cost_per_token": price.input_usd,
            "output_cost_per_token": price.output_usd,
            "cache_read_input_token_cost": price.cache_read_usd,
            "cache_creation_input_token_cost": price.cache_write_usd,
        }.items()
        if value is not None
    }


def _budget(deployment: Deployment) -> dict[str, Any]:
    budget = deployment.budget
    return {} if budget is None else {"max_budget": budget.max_usd, "budget_duration": duration(budget.per)}
