"""Models whose provider LiteLLM finds by the model's name, a LiteLLM proxy by `litellm_proxy/` among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.providers.leases import CredentialReader, Credentials, LeasedClients
from agent_runtime.providers.packages import packages_of
from agent_runtime.providers.source import ReadyModel
from agent_runtime.providers.wire import PROXY_PARAMETER, parameters_of

if TYPE_CHECKING:
    from agent_runtime.blueprint import Blueprint, Model
    from agent_runtime.secret_store import SecretStore


class NamedModel(ReadyModel):
    """A model by LiteLLM, without an address of ours."""

    def __init__(self, blueprint: Blueprint, secrets: SecretStore) -> None:
        with packages_of("litellm", packages=("litellm",), extra="litellm", dependency_set="litellm"):
            from agent_runtime.providers.litellm_models import named_model

        model = blueprint.model
        super().__init__(
            named_model(
                LeasedClients(
                    CredentialReader(secrets, model.api_key_env, model.extra_headers_env), _as_they_are, _nothing
                ),
                caches_tools=model.cache_tools == "default",
                client_args=_client_arguments(model),
                retries=model.num_retries,
                model_id=model.model_id,
                stream=model.stream,
                params=parameters_of(blueprint),
            )
        )


def _client_arguments(model: Model) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if model.timeout_seconds is not None:
        arguments["timeout"] = model.timeout_seconds
    if model.params.get(PROXY_PARAMETER):
        arguments[PROXY_PARAMETER] = True
    return arguments


def _as_they_are(credentials: Credentials) -> Credentials:
    return credentials


async def _nothing(_: Credentials) -> None:
    """LiteLLM keeps its connections, by key, and closes those that have been idle for an hour."""
