"""What the LiteLLM proxy serves: `blueprints/gateway.yaml`, typed and strict.

models:
  gpt-5-mini:
    model: openai/gpt-5-mini
    api_key_env: OPENAI_API_KEY
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from agent_runtime.addresses import check_url
from agent_runtime.rules import EnvName, Text, Token
from agent_runtime.strict import StrictModel, broken_rule
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import read_yaml

MASTER_KEY = "LITELLM_MASTER_KEY"
_OWN_KEYS = (MASTER_KEY, "LITELLM_SALT_KEY")


def _check_literal(text: str) -> str:
    # LiteLLM replaces any value of its configuration that starts so by the variable: a mock answer of
    # os.environ/LITELLM_MASTER_KEY would tell the master key to every caller.
    if text.lstrip().startswith("os.environ/"):
        raise broken_rule("starts with os.environ/, which LiteLLM replaces by a variable", "write the value itself")
    return text


def _check_provider_key(name: str) -> str:
    if name in _OWN_KEYS:
        raise broken_rule("is the gateway's own key, which a provider must not see", "name the provider's key")
    return name


def _check_public_name(name: str) -> str:
    if "*" in name:
        raise broken_rule("is a pattern; this version serves models by their full names", "name each model")
    return name


PublicName = Annotated[Token, AfterValidator(_check_public_name)]


class GatewayModel(StrictModel):
    """One model that the proxy serves."""

    model: Annotated[Token, AfterValidator(_check_literal)] = Field(
        description="Provider and model as LiteLLM names them.", examples=["openai/gpt-5-mini"]
    )
    api_key_env: Annotated[EnvName, AfterValidator(_check_provider_key)] | None = Field(
        default=None, description="Name of the secret that holds the provider's key. Never the key itself."
    )
    api_base: Annotated[str, AfterValidator(check_url)] | None = Field(
        default=None, description="Address of the provider, when it is not the usual one."
    )
    mock_response: Annotated[Text, AfterValidator(_check_literal)] | None = Field(
        default=None, min_length=1, description="Answer that LiteLLM gives itself, without asking a provider."
    )
    timeout_seconds: int | None = Field(default=None, ge=1, le=3600, description="Longest wait for the provider.")


class GatewaySettings(StrictModel):
    """The whole of `gateway.yaml`."""

    models: Mapping[PublicName, GatewayModel] = Field(
        min_length=1, description="Models by the name that agents call them.", examples=["{demo: {model: ...}}"]
    )

    @cached_property
    def secret_names(self) -> tuple[str, ...]:
        """The distinct variables that hold providers' keys, sorted; without the gateway's own master key."""
        return tuple(sorted({model.api_key_env for model in self.models.values() if model.api_key_env}))


def load_gateway(path: Path) -> GatewaySettings:
    """Read `gateway.yaml`.

    Args:
        path: The file.

    Returns:
        The settings.

    Raises:
        InputError: The file cannot be read or breaks the schema; carries every problem.
    """
    return validate(GatewaySettings, read_yaml(path))
