"""Where a model of the gateway is served: one or more deployments, each a provider's model with a key and limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from agent_runtime.addresses import check_url
from agent_runtime.rules import EnvName, Text, Token
from agent_runtime.strict import Fault, Rules, StrictModel, broken_rule
from agent_runtime.suggestions import nearest
from gateway.facts import provider_of, providers

_OWN_PREFIXES = ("LITELLM_", "STRANDLINE_", "GATEWAY_KEY_", "REDIS_", "DATABASE_", "AWS_")
_MOST_DOLLARS = 10_000_000
# Reached with the task's role, or servers that people run themselves and that may want no key.
_KEYLESS = frozenset({"bedrock", "bedrock_converse", "sagemaker", "sagemaker_chat", "sagemaker_nova"})
_KEYLESS |= {"hosted_vllm", "ollama", "ollama_chat", "lm_studio", "llamafile", "docker_model_runner", "triton"}
_AWS = frozenset({"bedrock", "bedrock_converse", "sagemaker", "sagemaker_chat", "sagemaker_nova"})
_VERTEX = frozenset({"vertex_ai", "vertex_ai_beta"})
_AZURE = frozenset({"azure", "azure_ai", "azure_text"})


def check_literal(text: str) -> str:
    """Accept a text that LiteLLM takes as it is."""
    # LiteLLM replaces any value of its configuration that starts so by the variable: a mock answer of
    # os.environ/LITELLM_MASTER_KEY would tell the master key to every caller.
    if text.lstrip().startswith("os.environ/"):
        raise broken_rule("starts with os.environ/, which LiteLLM replaces by a variable", "write the value itself")
    return text


def check_foreign_key(name: str) -> str:
    """Accept the name of a variable that is not one of the gateway's own."""
    if name.startswith(_OWN_PREFIXES):
        raise broken_rule(
            "is one of the gateway's own variables, which nobody else must see",
            "name the provider's key, for example OPENAI_API_KEY",
        )
    return name


def _check_provider(model: str) -> str:
    provider = provider_of(model)
    if provider in providers():
        return model
    if not provider:
        raise broken_rule("names no provider", "write provider and model, for example openai/gpt-5-mini")
    guess = nearest(provider, providers())
    raise broken_rule(
        f"'{provider}' is no provider that LiteLLM knows",
        f"did you mean {guess}?" if guess else "write one of docs.litellm.ai/docs/providers, such as openai/gpt-5-mini",
    )


Literally = AfterValidator(check_literal)
ProviderModel = Annotated[Token, Literally, AfterValidator(_check_provider)]
SecretVariable = Annotated[EnvName, AfterValidator(check_foreign_key)]
Url = Annotated[str, AfterValidator(check_url)]
Dollars = Annotated[float, Field(gt=0, le=_MOST_DOLLARS, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Place = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
Seconds = Annotated[int, Field(ge=1, le=3600)]
Period = Literal["day", "week", "month"]


class Price(StrictModel):
    """What a deployment costs, in US dollars for a million tokens; needed where LiteLLM knows no price."""

    input_usd: Rate = Field(description="A million tokens of prompt.", examples=[0.25])
    output_usd: Rate = Field(description="A million tokens of answer.", examples=[2])
    cache_read_usd: Rate | None = Field(
        default=None, description="A million tokens of prompt that the provider has cached.", examples=[0.025]
    )
    cache_write_usd: Rate | None = Field(
        default=None, description="A million tokens of prompt that the provider caches.", examples=[0.3]
    )

    @property
    def is_zero(self) -> bool:
        """Whether nothing is counted; LiteLLM then passes over every budget."""
        return not self.input_usd and not self.output_usd


class Budget(StrictModel):
    """What may be spent in a period."""

    max_usd: Dollars = Field(description="Most US dollars in a period.", examples=[500])
    per: Period = Field(default="month", description="The period.", examples=["day"])


class DeploymentFields(StrictModel):
    """What may be said of a deployment, whether it stands alone or in a list."""

    api_key_env: SecretVariable | None = Field(
        default=None,
        examples=["OPENAI_API_KEY"],
        description="Name of the secret that holds the provider's key; for vertex_ai the service account's JSON. "
        "Never the key itself.",
    )
    api_base: Url | None = Field(
        default=None,
        examples=["https://llm.example.com/v1"],
        description="Address of the provider, when it is not the usual one.",
    )
    api_version: Token | None = Field(
        default=None, examples=["2025-04-01-preview"], description="Version of Azure's API; for azure only."
    )
    region: Place | None = Field(
        default=None, examples=["eu-central-1"], description="Region of the provider; for bedrock and vertex_ai only."
    )
    project: Place | None = Field(
        default=None, examples=["my-project"], description="Project of Google Cloud; for vertex_ai only."
    )
    rpm: int | None = Field(
        default=None, ge=1, le=10_000_000, examples=[500], description="Most requests a minute; more are refused."
    )
    tpm: int | None = Field(
        default=None, ge=1, le=1_000_000_000, examples=[200000], description="Most tokens a minute; more are refused."
    )
    max_parallel_requests: int | None = Field(
        default=None, ge=1, le=100_000, examples=[50], description="Most requests at once, for each task."
    )
    weight: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        examples=[3],
        description="Share of the requests, against the other deployments of the model; with simple-shuffle.",
    )
    priority: int | None = Field(
        default=None,
        ge=1,
        le=100,
        examples=[1],
        description="Deployments of the lowest number are asked; the next ones when these have failed.",
    )
    timeout_seconds: Seconds | None = Field(
        default=None, examples=[120], description="Longest wait for the provider's answer."
    )
    stream_timeout_seconds: Seconds | None = Field(
        default=None, examples=[30], description="Longest wait for the first part of a streamed answer."
    )
    price: Price | None = Field(
        default=None,
        examples=["{input_usd: 0.25, output_usd: 2}"],
        description="What it costs. Left out: what LiteLLM's price map says.",
    )
    budget: Budget | None = Field(
        default=None,
        examples=["{max_usd: 500, per: month}"],
        description="What may be spent on this deployment; over it the others are asked.",
    )
    mock_response: Annotated[Text, Literally] | None = Field(
        default=None,
        min_length=1,
        examples=["Hello."],
        description="Answer that LiteLLM gives itself, without asking a provider.",
    )

    @property
    def has_rate_limit(self) -> bool:
        """Whether requests or tokens a minute are limited."""
        return self.rpm is not None or self.tpm is not None


class Deployment(DeploymentFields):
    """A model at one provider."""

    RULES: ClassVar[Rules] = (lambda deployment: deployment_faults(deployment, deployment.model),)

    model: ProviderModel = Field(
        description="Provider and model as LiteLLM names them.", examples=["openai/gpt-5-mini"]
    )

    @property
    def provider(self) -> str:
        """Name of the provider, as LiteLLM knows it."""
        return provider_of(self.model)


def deployment_faults(fields: DeploymentFields, model: str) -> Iterator[Fault]:
    """Find what does not fit the provider.

    Args:
        fields: What is said of the deployment.
        model: Provider and model.

    Yields:
        The faults, with their paths from the deployment.
    """
    provider = provider_of(model)
    if fields.api_key_env is None and fields.mock_response is None and provider not in _KEYLESS:
        yield Fault(
            f"no secret holds the key that {provider} wants", f"add api_key_env: {_usual_key(provider)}", ("model",)
        )
    if fields.region is not None and provider not in _AWS | _VERTEX:
        yield Fault(f"{provider} has no region", "remove region, or name the address in api_base", ("region",))
    if fields.project is not None and provider not in _VERTEX:
        yield Fault(f"{provider} has no project", "remove project", ("project",))
    if fields.api_version is not None and provider not in _AZURE:
        yield Fault(f"{provider} has no api_version", "remove api_version", ("api_version",))
    if fields.api_base is None and provider in _AZURE and fields.mock_response is None:
        yield Fault(f"{provider} is reached at an address of your own", "add api_base: https://...", ("model",))


def uses_aws_role(provider: str) -> bool:
    """Tell whether a provider is called with the role of the gateway's task."""
    return provider in _AWS


def uses_google_credentials(provider: str) -> bool:
    """Tell whether a provider's key is the JSON of a service account."""
    return provider in _VERTEX


def _usual_key(provider: str) -> str:
    return {"vertex_ai": "VERTEX_CREDENTIALS"}.get(provider, f"{provider.upper().replace('-', '_')}_API_KEY")
