"""The guardrails and callbacks of LiteLLM's `config.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.references import given, reference

if TYPE_CHECKING:
    from gateway.integrations import BedrockGuardrail, Callbacks, Guardrail, PresidioGuardrail
    from gateway.settings import GatewaySettings
    from gateway.target import GatewayTarget

# Where it is set, our hook writes each request's line in CloudWatch's embedded metric format as well.
NAMESPACE = "STRANDLINE_METRICS_NAMESPACE"
# LiteLLM's own fails inside the proxy.
HELICONE = "gateway.proxy.helicone.helicone"

_MOMENTS = {"input": "pre_call", "parallel": "during_call", "output": "post_call"}


@dataclass(slots=True)
class Services:
    """What LiteLLM is told of the services that are told of calls.

    Attributes:
        callbacks: Of `litellm_settings.callbacks`.
        settings: The block `callback_settings`.
        variables: The block `environment_variables`: what the services' clients read.
    """

    callbacks: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


def compile_services(settings: GatewaySettings, target: GatewayTarget) -> Services:
    """Write the callbacks.

    Args:
        settings: What the proxy serves.
        target: Where it runs; in simulation only CloudWatch is told, by the log.

    Returns:
        What goes into the configuration's blocks.
    """
    services = Services()
    callbacks = settings.callbacks
    if callbacks.cloudwatch:
        services.variables[NAMESPACE] = callbacks.cloudwatch.namespace
    if not target.simulates:
        _add_otel(services, callbacks)
        _add_others(services, callbacks)
    return services


def _add_otel(services: Services, callbacks: Callbacks) -> None:
    otel, langfuse = callbacks.otel, callbacks.langfuse
    if otel:
        services.callbacks.append("otel")
        services.settings["otel"] = {"message_logging": callbacks.content}
        services.variables |= {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "otlp_http",
            "OTEL_EXPORTER_OTLP_ENDPOINT": otel.endpoint,
            "OTEL_SERVICE_NAME": otel.service_name,
        }
        if otel.headers_env:
            services.variables["OTEL_EXPORTER_OTLP_HEADERS"] = reference(otel.headers_env)
    if langfuse:
        services.callbacks.append("langfuse_otel")
        services.variables |= {
            "LANGFUSE_OTEL_HOST": langfuse.host,
            "LANGFUSE_PUBLIC_KEY": reference(langfuse.public_key_env),
            "LANGFUSE_SECRET_KEY": reference(langfuse.secret_key_env),
        }


def _add_others(services: Services, callbacks: Callbacks) -> None:
    langsmith, helicone = callbacks.langsmith, callbacks.helicone
    if langsmith:
        services.callbacks.append("langsmith")
        services.variables |= {
            "LANGSMITH_API_KEY": reference(langsmith.api_key_env),
            "LANGSMITH_PROJECT": langsmith.project,
            "LANGSMITH_BASE_URL": langsmith.base_url,
        }
    if helicone:
        services.callbacks.append(HELICONE)
        services.variables |= {
            "HELICONE_API_KEY": reference(helicone.api_key_env),
            "HELICONE_API_BASE": helicone.api_base,
        }


def compile_guardrails(settings: GatewaySettings, target: GatewayTarget) -> list[dict[str, Any]]:
    """Write the block `guardrails`; in simulation there is none, for each asks another server."""
    if target.simulates:
        return []
    return [
        {"guardrail_name": guardrail.name, "litellm_params": _guardrail(guardrail)} for guardrail in settings.guardrails
    ]


def _guardrail(guardrail: Guardrail) -> dict[str, Any]:
    common = {"mode": [_MOMENTS[moment] for moment in guardrail.when], "default_on": guardrail.always}
    if guardrail.presidio:
        return {"guardrail": "presidio", **common, **_presidio(guardrail.presidio, guardrail.when)}
    assert guardrail.bedrock  # noqa: S101 - a rule of the schema
    return {"guardrail": "bedrock", **common, **_bedrock(guardrail.bedrock)}


def _presidio(presidio: PresidioGuardrail, when: tuple[str, ...]) -> dict[str, Any]:
    return {
        "presidio_analyzer_api_base": presidio.analyzer_url,
        "presidio_anonymizer_api_base": presidio.anonymizer_url,
        "presidio_language": presidio.language,
        "presidio_filter_scope": "both" if len(when) > 1 else when[0],
        "pii_entities_config": {entity: action.upper() for entity, action in sorted(presidio.entities.items())},
        "output_parse_pii": presidio.restore_output,
    }


def _bedrock(bedrock: BedrockGuardrail) -> dict[str, Any]:
    return given(
        guardrailIdentifier=bedrock.guardrail_id,
        guardrailVersion=bedrock.version,
        aws_region_name=bedrock.region,
        mask_request_content=bedrock.mask,
        mask_response_content=bedrock.mask,
    )
