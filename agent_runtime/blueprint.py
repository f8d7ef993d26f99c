"""The agent blueprint: what an agent is, in one YAML file.

    id: hello
    name: Hello
    version: 1.0.0
    prompt_ref: hello
    model:
      provider: litellm
      base_url: gateway
      model_id: demo
      temperature: 0.2
      max_tokens: 500

The same model is read twice: at synth, to know which secrets, roles and limits to provision, and inside the runtime, to
build the agent. Importing this module loads no YAML reader, no CDK and no provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from agent_runtime.addresses import check_url
from agent_runtime.rules import EnvName, HeaderName, Line, SemVer, Text, Token
from agent_runtime.strict import StrictModel, broken_rule

GATEWAY = "gateway"
"""The value of `model.base_url` that means the proxy that Strandline deploys."""

Provider = Literal["bedrock", "litellm"]
ExecutionMode = Literal["simulation", "staging", "production"]
NetworkMode = Literal["PUBLIC", "PRIVATE"]
DependencySet = Literal["light", "litellm"]

LATER_FIELDS = frozenset(
    {
        *("artifacts", "evaluation", "hooks", "identity", "memory", "multi_agent", "observability", "output_schema"),
        *("policy", "thinking", "tools", "budget", "checks", "environments"),
        *("model.cache_prompt", "model.cache_tools", "model.client", "model.num_retries", "model.params"),
        *("model.stream", "model.timeout_seconds"),
        *("runtime.environment", "runtime.max_execution_time", "runtime.max_lifetime_minutes"),
        *("runtime.platform", "runtime.platform_version"),
    }
)
"""Fields of the format that this version refuses by name, instead of guessing what else they could mean."""

_LATER_PROVIDERS = ("anthropic", "openai", "vertex")
_LATER_PROTOCOLS = ("MCP", "A2A")


def normalise_id(agent_id: str) -> str:
    """Write an id as AWS tells agents apart; two agents must not share it.

    AgentCore allows no hyphen in a name and CloudFormation no underscore in that of a stack; names of log groups are
    easier to live with when capitals make no difference.
    """
    return agent_id.replace("-", "_").lower()


def _check_provider(value: object) -> object:
    if value in _LATER_PROVIDERS:
        raise broken_rule(
            f"{value} comes with a later version", f"use litellm with a model_id such as {value}/..., or bedrock"
        )
    return value


def _check_protocol(value: object) -> object:
    if value in _LATER_PROTOCOLS:
        raise broken_rule(f"{value} comes with a later version", "use HTTP")
    return value


def _check_base_url(value: str) -> str:
    if value == GATEWAY:
        return value
    if "${" in value:
        raise broken_rule("holds ${...}, which this version does not expand", "write the address itself")
    if "://" not in value:
        raise broken_rule(
            "is neither the word gateway nor an address",
            "write gateway for the proxy that Strandline deploys, or https://host/path for another",
        )
    return check_url(value)


def _check_prompt_ref(value: str) -> str:
    if ".." in value:
        raise broken_rule("holds '..'", "name a file of the prompts folder, without its .md")
    return value


BlueprintId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]{0,31}$")]
PromptRef = Annotated[
    str,
    StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._@-]*$", max_length=128),
    AfterValidator(_check_prompt_ref),
]
# A sequence in YAML and JSON is a list; the tuple keeps the model frozen. Its members stay strict.
Tags = Annotated[tuple[Line, ...], Field(strict=False, max_length=50)]


class Model(StrictModel):
    """Which model answers, and how it is reached."""

    provider: Annotated[Provider, BeforeValidator(_check_provider)] = Field(
        default="bedrock",
        description="bedrock calls Amazon Bedrock; litellm calls any provider, through a proxy when base_url is set.",
    )
    model_id: Token = Field(examples=["anthropic/claude-sonnet-4-5"], description="Id of the model, sent on unchanged.")
    temperature: float = Field(
        examples=[0.2], ge=0, le=2, allow_inf_nan=False, description="Sampling temperature, 0 to 2."
    )
    max_tokens: int = Field(examples=[1000], gt=0, le=10_000_000, description="Most tokens that one answer may have.")
    base_url: Annotated[str, AfterValidator(_check_base_url)] | None = Field(
        default=None,
        description="gateway for the proxy that Strandline deploys, or the address of an OpenAI-compatible endpoint.",
    )
    api_key_env: EnvName | None = Field(
        default=None, description="Name of the variable, and of the secret, that holds the key. Never the key itself."
    )
    extra_headers_env: Mapping[HeaderName, EnvName] = Field(
        default_factory=dict,
        max_length=20,
        description="HTTP header to the name of the variable, and of the secret, that holds its value.",
    )

    @model_validator(mode="after")
    def _check_provider_fields(self) -> Self:
        """Refuse what the provider would silently ignore."""
        if self.provider == "bedrock":
            for name in ("base_url", "api_key_env", "extra_headers_env"):
                if getattr(self, name):
                    raise broken_rule(
                        f"{name} has no effect with provider bedrock, which signs with the runtime's role",
                        f"set provider: litellm, or remove {name}",
                        at=(name,),
                    )
        seen: dict[str, str] = {}
        for header in self.extra_headers_env:
            other = seen.setdefault(header.lower(), header)
            if other != header:
                at = ("extra_headers_env", header)
                raise broken_rule(f"{other} and {header} are the same header", "keep one of the two", at=at)
        return self


class ToolGateway(StrictModel):
    """The AgentCore gateway that serves the agent its tools; not to be confused with the LiteLLM proxy."""

    auth_type: Literal["aws_iam", "custom_jwt", "none"] = Field(
        default="aws_iam", description="How the agent proves to the gateway who it is."
    )
    url: Annotated[str, AfterValidator(check_url)] | None = Field(default=None, description="Address of the gateway.")


class Runtime(StrictModel):
    """Where and within which limits the agent runs."""

    type: Literal["agentcore"] = Field(default="agentcore", description="Amazon Bedrock AgentCore Runtime.")
    max_iterations: int = Field(default=5, ge=1, le=100, description="Most model calls in one invocation.")
    # AgentCore: idleRuntimeSessionTimeout is 60 to 28,800 seconds.
    idle_timeout_minutes: int = Field(default=15, ge=1, le=480, description="Minutes after which an idle session ends.")
    network_mode: NetworkMode | None = Field(
        default=None,
        description="PRIVATE places the agent in the environment's VPC. Left out: PRIVATE with base_url: gateway, "
        "else PUBLIC.",
    )
    protocol: Annotated[Literal["HTTP"], BeforeValidator(_check_protocol)] = Field(
        default="HTTP", description="Protocol that the runtime serves."
    )


class ExecutionModes(StrictModel):
    """Where the agent may be deployed. A new agent is for simulation only, until its author says more."""

    simulation: bool = Field(default=True, description="May run where no provider is called.")
    staging: bool = Field(default=False, description="May run in staging.")
    production: bool = Field(default=False, description="May run in production.")


class Blueprint(StrictModel):
    """One agent."""

    id: BlueprintId = Field(
        examples=["hello"],
        description="Name of the agent in commands and in AWS: a letter, then letters, digits, - and _, 32 at most.",
    )
    name: Line = Field(examples=["Hello"], description="Name of the agent for people.")
    version: SemVer = Field(examples=["1.0.0"], description="Semantic version of the blueprint.")
    description: Text = Field(default="", description="What the agent is for.")
    prompt_ref: PromptRef = Field(
        examples=["hello"],
        description="Name of a file in the prompts folder, without its .md: letters, digits and . _ @ -.",
    )
    model: Model = Field(
        examples=["{model_id: ..., temperature: 0.2, max_tokens: 1000}"],
        description="Which model answers, and how it is reached.",
    )
    gateway: ToolGateway | None = Field(
        default=None, description="The AgentCore gateway that serves the agent its tools."
    )
    runtime: Runtime = Field(default=Runtime(), description="Where and within which limits the agent runs.")
    execution_modes: ExecutionModes = Field(default=ExecutionModes(), description="Where the agent may be deployed.")
    tags: Tags = Field(default=(), description="Words to find the agent by.")

    @model_validator(mode="after")
    def _check_route_to_gateway(self) -> Self:
        if self.uses_gateway and self.runtime.network_mode == "PUBLIC":
            raise broken_rule(
                "network_mode PUBLIC cannot reach base_url: gateway, whose load balancer is inside the VPC",
                "set runtime.network_mode: PRIVATE, or leave it out",
                at=("runtime", "network_mode"),
            )
        return self

    @property
    def uses_gateway(self) -> bool:
        """Whether the model is reached through the proxy that Strandline deploys."""
        return self.model.base_url == GATEWAY

    @property
    def network_mode(self) -> NetworkMode:
        """The network mode in effect, also when the blueprint leaves it out."""
        return self.runtime.network_mode or ("PRIVATE" if self.uses_gateway else "PUBLIC")

    @cached_property
    def secret_names(self) -> tuple[str, ...]:
        """The distinct variables whose values are secrets, sorted."""
        names = set(self.model.extra_headers_env.values())
        if self.model.api_key_env:
            names.add(self.model.api_key_env)
        return tuple(sorted(names))

    @property
    def dependency_set(self) -> DependencySet:
        """Which code artefact the agent runs on: LiteLLM is packaged only for agents that call providers through it."""
        return "litellm" if self.model.provider == "litellm" and self.model.base_url is None else "light"

    @property
    def normalised_id(self) -> str:
        """The id as AWS tells agents apart."""
        return normalise_id(self.id)

    def allows(self, execution_mode: ExecutionMode) -> bool:
        """Tell whether the agent may be deployed where agents run in this execution mode."""
        return bool(getattr(self.execution_modes, execution_mode))

    def runtime_name(self, environment: str) -> str:
        """Name the AgentCore runtime in an environment; AgentCore allows `[a-zA-Z][a-zA-Z0-9_]{0,47}`."""
        return f"{environment}_{self.id}".replace("-", "_")
