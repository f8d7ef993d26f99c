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
build the agent. `docs/blueprint.md` is made of what stands here. Importing this module loads no YAML reader, no CDK and
no provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from agent_runtime.blueprint_blocks import Budget, Check, Gate, Observability, Thinking, Tool, ToolGateway
from agent_runtime.blueprint_rules import (
    GATEWAY,
    BaseUrl,
    BlueprintId,
    CacheKey,
    Headers,
    ModelId,
    Parameter,
    ParameterName,
    Platform,
    PromptRef,
    SchemaRef,
    Tags,
)
from agent_runtime.cross_rules import AGENT_RULES, MODEL_RULES, runtime_faults
from agent_runtime.rules import EnvName, Line, SemVer, Text, VariableName, VariableValue
from agent_runtime.strict import Rules, StrictModel

__all__ = ["GATEWAY", "Blueprint", "Model", "normalise_id"]

Provider = Literal["bedrock", "anthropic", "litellm", "vertex", "openai"]
ExecutionMode = Literal["simulation", "staging", "production"]
EnvironmentName = Literal["local", "simulation", "staging", "production"]
NetworkMode = Literal["PUBLIC", "PRIVATE"]
Protocol = Literal["HTTP", "MCP", "A2A"]
DependencySet = Literal["light", "litellm"]


def normalise_id(agent_id: str) -> str:
    """Write an id as AWS tells agents apart; two agents must not share it.

    AgentCore allows no hyphen in a name and CloudFormation no underscore in that of a stack; names of log groups are
    easier to live with when capitals make no difference.
    """
    return agent_id.replace("-", "_").lower()


class Model(StrictModel):
    """Which model answers, and how it is reached."""

    RULES: ClassVar[Rules] = MODEL_RULES

    provider: Provider = Field(
        default="bedrock",
        examples=["litellm"],
        description="bedrock calls Amazon Bedrock with the runtime's role; anthropic, vertex and openai call these "
        "with a key; litellm calls any provider, through a proxy when base_url is set.",
    )
    model_id: ModelId = Field(
        examples=["anthropic/claude-sonnet-4-5"],
        description="Id of the model, sent on unchanged. ${VAR} and ${VAR:-default} are expanded.",
    )
    temperature: float = Field(
        examples=[0.2], ge=0, le=2, allow_inf_nan=False, description="Sampling temperature, 0 to 2."
    )
    max_tokens: int = Field(examples=[1000], gt=0, le=10_000_000, description="Most tokens that one answer may have.")
    base_url: BaseUrl | None = Field(
        default=None,
        examples=["https://llm.example.com/v1"],
        description="gateway for the proxy that Strandline deploys, or the address of an OpenAI-compatible endpoint. "
        "${VAR} and ${VAR:-default} are expanded.",
    )
    api_key_env: EnvName | None = Field(
        default=None,
        examples=["LITELLM_API_KEY"],
        description="Name of the variable, and of the secret, that holds the key. Never the key itself.",
    )
    extra_headers_env: Headers = Field(
        default_factory=dict,
        examples=["{CF-Access-Client-Id: CF_ACCESS_CLIENT_ID}"],
        description="HTTP header to the name of the variable, and of the secret, that holds its value.",
    )
    client: Literal["auto", "litellm", "openai"] = Field(
        default="auto",
        examples=["litellm"],
        description="Library that speaks to base_url with provider litellm: auto takes the light one (openai) where it "
        "gives the same result.",
    )
    stream: bool = Field(
        default=True, examples=[False], description="Whether the model's answer is asked for as a stream."
    )
    cache_prompt: CacheKey = Field(
        default="none",
        examples=["default"],
        description="default caches the system prompt at the provider, none does not; openai and litellm also take a "
        "key, sent on as prompt_cache_key.",
    )
    cache_tools: CacheKey = Field(
        default="none", examples=["default"], description="default caches the tools' definitions at the provider."
    )
    params: Mapping[ParameterName, Parameter] = Field(
        default_factory=dict,
        max_length=50,
        examples=["{top_p: 0.9}"],
        description="Further parameters, passed on to the provider as they are. Never a secret.",
    )
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=3600,
        examples=[60],
        description="Longest wait for the provider; its client's when left out.",
    )
    num_retries: int | None = Field(
        default=None,
        ge=0,
        le=10,
        examples=[2],
        description="Times that a failed call is made again; its client's when left out.",
    )

    @property
    def uses_light_client(self) -> bool:
        """Whether the model is reached by our own client over httpx, and LiteLLM need not be packaged."""
        return self.provider == "litellm" and self.base_url is not None and self.client != "litellm"


class Runtime(StrictModel):
    """Where and within which limits the agent runs."""

    RULES: ClassVar[Rules] = (runtime_faults,)

    type: Literal["agentcore"] = Field(
        default="agentcore", examples=["agentcore"], description="Amazon Bedrock AgentCore Runtime."
    )
    max_iterations: int = Field(
        default=5, ge=1, le=100, examples=[10], description="Most model calls in one invocation."
    )
    # AgentCore ends a synchronous invocation after 15 minutes.
    max_execution_time: int = Field(
        default=120,
        ge=1,
        le=900,
        examples=[300],
        description="Seconds after which an invocation is stopped, 900 at most.",
    )
    # AgentCore: both timeouts are 60 to 28,800 seconds, and the idle one is not above the other.
    idle_timeout_minutes: int = Field(
        default=15, ge=1, le=480, examples=[20], description="Minutes after which an idle session ends, 480 at most."
    )
    max_lifetime_minutes: int = Field(
        default=480, ge=1, le=480, examples=[60], description="Minutes after which any session ends, 480 at most."
    )
    network_mode: NetworkMode | None = Field(
        default=None,
        examples=["PRIVATE"],
        description="PRIVATE places the agent in the environment's VPC. Left out: PRIVATE with base_url: gateway, "
        "else PUBLIC.",
    )
    protocol: Protocol = Field(
        default="HTTP",
        examples=["MCP"],
        description="How callers reach the agent: HTTP takes prompts, MCP offers the agent as a tool, A2A speaks the "
        "Agent2Agent protocol.",
    )
    platform: Annotated[Literal["linux/arm64"], Platform] = Field(
        default="linux/arm64", examples=["linux/arm64"], description="What AgentCore runs on."
    )
    port: Literal[8000, 8080, 9000] | None = Field(
        default=None,
        examples=[8080],
        description="Port that AgentCore calls: 8080 for HTTP, 8000 for MCP, 9000 for A2A. It follows the protocol and "
        "can be left out.",
    )
    platform_version: Literal["V1", "V2"] = Field(
        default="V2",
        examples=["V1"],
        description="Version of AgentCore's platform; V2 starts sessions from a snapshot.",
    )
    environment: Mapping[VariableName, VariableValue] = Field(
        default_factory=dict,
        max_length=40,
        examples=["{ACTIVE_MODEL: claude-sonnet-4-6}"],
        description="Variables of the runtime, also for ${VAR}; they win over the environment's. Never secrets.",
    )


class ExecutionModes(StrictModel):
    """Where the agent may be deployed. A new agent is for simulation only, until its author says more."""

    simulation: bool = Field(default=True, examples=[True], description="May run where no provider is called.")
    staging: bool = Field(default=False, examples=[True], description="May run in staging.")
    production: bool = Field(default=False, examples=[True], description="May run in production.")


class Blueprint(StrictModel):
    """One agent."""

    RULES: ClassVar[Rules] = AGENT_RULES

    id: BlueprintId = Field(
        examples=["hello"],
        description="Name of the agent in commands and in AWS: a letter, then letters, digits, - and _, 32 at most.",
    )
    name: Line = Field(examples=["Hello"], description="Name of the agent for people.")
    version: SemVer = Field(examples=["1.0.0"], description="Semantic version of the blueprint.")
    # What CloudFormation takes as the description of a runtime.
    description: Annotated[Text, Field(max_length=1200)] = Field(
        default="", examples=["Greets people."], description="What the agent is for."
    )
    prompt_ref: PromptRef = Field(
        examples=["hello"],
        description="Name of a file in the prompts folder, without its .md; name@1.2.0 for one version of several.",
    )
    model: Model = Field(
        examples=["{model_id: ..., temperature: 0.2, max_tokens: 1000}"],
        description="Which model answers, and how it is reached.",
    )
    thinking: Thinking | None = Field(
        default=None, examples=["{budget_tokens: 4096}"], description="Extended thinking, for models that offer it."
    )
    output_schema: SchemaRef | None = Field(
        default=None,
        examples=["analysis"],
        description="What the answer must fit: a file of the schemas folder without its .json, or module:Class of a "
        "pydantic model below blueprints/tools.",
    )
    tools: Annotated[tuple[Tool, ...], Field(strict=False, max_length=100)] = Field(
        default=(),
        examples=["[{python: 'weather:forecast'}, {builtin: calculator}]"],
        description="What the agent may use.",
    )
    gateway: ToolGateway | None = Field(
        default=None,
        examples=["{url: ..., auth_type: aws_iam}"],
        description="The AgentCore gateway that serves the agent its tools.",
    )
    runtime: Runtime = Field(
        default=Runtime(),
        examples=["{max_iterations: 10}"],
        description="Where and within which limits the agent runs.",
    )
    observability: Observability = Field(
        default=Observability(),
        examples=["{log_level: DEBUG}"],
        description="What can be seen of the agent, and what must not be.",
    )
    checks: Annotated[tuple[Check, ...], Field(strict=False, max_length=100)] = Field(
        default=(),
        examples=["[{name: greets, prompt: Say hello., contains: [hello]}]"],
        description="What a new version must pass before users reach it.",
    )
    gate: Gate = Field(
        default=Gate(),
        examples=["{repetitions: 3, pass_threshold: 0.6}"],
        description="How the checks are run.",
    )
    budget: Budget | None = Field(
        default=None, examples=["{max_usd: 50, per: month}"], description="What the agent may spend at the gateway."
    )
    execution_modes: ExecutionModes = Field(
        default=ExecutionModes(), examples=["{staging: true}"], description="Where the agent may be deployed."
    )
    environments: Mapping[EnvironmentName, Mapping[str, Any]] = Field(
        default_factory=dict,
        examples=["{production: {model: {model_id: claude-opus-4-5}}}"],
        description="What differs in an environment: any field but id and environments. Mappings are merged; lists and "
        "single values replace.",
    )
    tags: Tags = Field(
        default=(),
        examples=["[demo]"],
        description="Words to find the agent by, of letters, digits, spaces and . _ : / = + @ -, 64 characters at "
        "most. Each is a tag of the runtime in AWS, such as strandline:tag:demo.",
    )

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
        names = {*self.other_secret_names, *self.model.extra_headers_env.values()}
        if self.model.api_key_env:
            names.add(self.model.api_key_env)
        return tuple(sorted(names))

    @cached_property
    def other_secret_names(self) -> tuple[str, ...]:
        """The same without what only the model's endpoint is shown."""
        names: set[str] = set()
        for tool in self.tools:
            names.update(tool.mcp.secret_names if tool.mcp else ())
        if self.gateway and self.gateway.jwt_env_var:
            names.add(self.gateway.jwt_env_var)
        if self.observability.otlp:
            names.update(self.observability.otlp.headers_env.values())
        return tuple(sorted(names))

    @property
    def dependency_set(self) -> DependencySet:
        """Which code artefact the agent runs on: LiteLLM is packaged only for agents that call through it."""
        return "litellm" if self.model.provider == "litellm" and not self.model.uses_light_client else "light"

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
