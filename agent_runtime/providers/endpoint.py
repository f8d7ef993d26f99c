"""Models behind an OpenAI-compatible address: the gateway, somebody's proxy, a server of one's own, OpenAI itself.

Two models speak to it, ours and LiteLLM's, and send the same over the same connection. The light one is the default:
LiteLLM takes three seconds to import and has nothing to translate here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault
from agent_runtime.openai_client import OpenAICompatibleClient
from agent_runtime.providers.source import ReadyModel
from agent_runtime.providers.wire import model_behind_proxy, parameters_of

if TYPE_CHECKING:
    from agent_runtime.blueprint import Blueprint
    from agent_runtime.providers.light_model import LightModel
    from agent_runtime.secret_store import SecretStore
    from agent_runtime.settings import RuntimeSettings

OPENAI_URL = "https://api.openai.com/v1"


class EndpointModel(ReadyModel):
    """A model behind an address.

    Attributes:
        client: The connection; it reads the secrets at each call.
    """

    def __init__(self, blueprint: Blueprint, settings: RuntimeSettings, secrets: SecretStore) -> None:
        model = blueprint.model
        at_gateway = _is_at_gateway(blueprint, settings)
        gateway_key = settings.gateway_key if at_gateway else None
        # The key and the headers of somebody else's endpoint are nothing for the gateway that simulates it.
        stands_in = at_gateway and not blueprint.uses_gateway
        self.client = OpenAICompatibleClient(
            base_url=_address(blueprint, settings),
            api_key_env=gateway_key if stands_in else model.api_key_env or gateway_key,
            extra_headers_env={} if stands_in else model.extra_headers_env,
            secrets=secrets,
            timeout=model.timeout_seconds,
            max_retries=model.num_retries,
            gateway_agent=blueprint.id if at_gateway else None,
        )
        uses_litellm = model.provider == "litellm" and not model.uses_light_client
        super().__init__((_by_litellm if uses_litellm else _by_openai)(blueprint, self.client))


def _by_openai(blueprint: Blueprint, client: OpenAICompatibleClient) -> LightModel:
    from agent_runtime.providers.light_model import LightModel

    return LightModel(client, parameters=_parameters(blueprint), **_shared(blueprint))


def _by_litellm(blueprint: Blueprint, client: OpenAICompatibleClient) -> Any:
    from agent_runtime.providers.packages import packages_of

    with packages_of("litellm", packages=("litellm",), extra="litellm", dependency_set="litellm"):
        from agent_runtime.providers.litellm_models import endpoint_model

    # Parameters given in any other way LiteLLM checks, renames or drops.
    return endpoint_model(client, params={"extra_body": _parameters(blueprint)}, **_shared(blueprint))


def _shared(blueprint: Blueprint) -> dict[str, Any]:
    model = blueprint.model
    return {
        "model_id": model_behind_proxy(model.model_id),
        "stream": model.stream,
        "caches_tools": model.cache_tools == "default",
    }


def _parameters(blueprint: Blueprint) -> dict[str, Any]:
    model = blueprint.model
    parameters = parameters_of(blueprint)
    if model.provider == "openai" and model.base_url is None:
        # OpenAI's own reasoning models refuse the old name; all of its models take the new one.
        parameters.setdefault("max_completion_tokens", parameters.pop("max_tokens"))
    return parameters


def _is_at_gateway(blueprint: Blueprint, settings: RuntimeSettings) -> bool:
    return blueprint.uses_gateway or settings.simulated


def _address(blueprint: Blueprint, settings: RuntimeSettings) -> str:
    if not _is_at_gateway(blueprint, settings):
        return blueprint.model.base_url or OPENAI_URL
    if settings.gateway_url is None:
        raise EnvironmentFault(
            "The agent's model is reached through the gateway, and STRANDLINE_GATEWAY_URL is not set: "
            "deploy the agent together with the environment's gateway."
        )
    return f"{settings.gateway_url.rstrip('/')}/v1"
