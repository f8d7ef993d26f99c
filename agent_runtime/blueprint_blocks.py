"""The blocks of a blueprint beside model and runtime: thinking, tools, observability, checks, budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from agent_runtime.blueprint_rules import (
    BuiltinName,
    CheckName,
    ChildEnvironment,
    Entities,
    Lines,
    McpName,
    PlainHeaders,
    PythonRef,
    Regex,
    SchemaRef,
    SecretHeaders,
    Tokens,
    Url,
)
from agent_runtime.cross_rules import (
    budget_faults,
    check_faults,
    protection_faults,
    server_faults,
    tool_faults,
    tool_gateway_faults,
    trace_faults,
)
from agent_runtime.rules import EnvName, Line, Text, Token, VariableValue
from agent_runtime.strict import Rules, StrictModel


class Thinking(StrictModel):
    """Extended thinking, for models that offer it."""

    enabled: bool = Field(default=True, examples=[True], description="Whether the model thinks before it answers.")
    budget_tokens: int = Field(
        default=10_000,
        ge=1024,  # what Anthropic asks for
        le=10_000_000,
        examples=[4096],
        description="Most tokens that thinking may take, 1024 at least; below model.max_tokens, which includes them.",
    )


class McpServer(StrictModel):
    """A server of the Model Context Protocol whose tools the agent may use."""

    url: Url | None = Field(
        default=None,
        examples=["https://tools.example.com/mcp"],
        description="Address of a server that speaks streamable HTTP.",
    )
    command: Lines = Field(
        default=(),
        examples=["[python, -m, my_server]"],
        description="Program and arguments of a server started beside the agent.",
    )
    headers_env: SecretHeaders = Field(
        default_factory=dict,
        examples=["{X-Api-Key: TOOLS_KEY}"],
        description="HTTP header to the name of the variable, and of the secret, that holds its value. With url only.",
    )
    environment_env: ChildEnvironment = Field(
        default_factory=dict,
        examples=["{GITHUB_TOKEN: GITHUB_TOKEN}"],
        description="Variable of the server's process to the name of the variable, and of the secret, that holds its "
        "value. With command only.",
    )
    allow: Tokens = Field(
        default=(),
        examples=["[search, fetch]"],
        description="Tools that the agent may use; left out: all of the server's.",
    )

    @property
    def secret_names(self) -> tuple[str, ...]:
        """The distinct variables whose values are secrets, sorted."""
        return tuple(sorted({*self.headers_env.values(), *self.environment_env.values()}))


class Tool(StrictModel):
    """One tool, or one server of tools: exactly one of python, builtin and mcp."""

    RULES: ClassVar[Rules] = (tool_faults, server_faults)

    python: PythonRef | None = Field(
        default=None,
        examples=["weather:forecast"],
        description="module:function below blueprints/tools, a Strands @tool.",
    )
    builtin: BuiltinName | None = Field(
        default=None, examples=["calculator"], description="Name of a tool of the strands_tools package."
    )
    mcp: Annotated[McpServer | None, McpName] = Field(
        default=None,
        examples=["{url: https://tools.example.com/mcp, allow: [search]}"],
        description="A server of tools.",
    )


class ToolGateway(StrictModel):
    """The AgentCore gateway that serves the agent its tools; not to be confused with the LiteLLM proxy."""

    RULES: ClassVar[Rules] = (tool_gateway_faults,)

    auth_type: Literal["aws_iam", "custom_jwt", "none"] = Field(
        default="aws_iam",
        examples=["aws_iam"],
        description="How the agent proves to the gateway who it is: aws_iam signs with the runtime's role, custom_jwt "
        "sends a token.",
    )
    url: Url | None = Field(
        default=None,
        examples=["https://tides-a1b2c3d4e5.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp"],
        description="Address of the gateway; without it no gateway is asked.",
    )
    jwt_env_var: EnvName | None = Field(
        default=None,
        examples=["GATEWAY_TOKEN"],
        description="Name of the variable, and of the secret, that holds the token of custom_jwt.",
    )


class DataProtection(StrictModel):
    """What keeps personal data from the model and from the answer."""

    RULES: ClassVar[Rules] = (protection_faults,)

    provider: Literal["bedrock", "presidio", "none"] = Field(
        default="none",
        examples=["presidio"],
        description="presidio filters in the runtime, for any model; bedrock uses a guardrail, for provider bedrock.",
    )
    guardrail_id_env: EnvName | None = Field(
        default=None,
        examples=["BEDROCK_GUARDRAIL_ID"],
        description="Variable, of the environment or of runtime.environment, that holds the guardrail's id.",
    )
    guardrail_version_env: EnvName | None = Field(
        default=None,
        examples=["BEDROCK_GUARDRAIL_VERSION"],
        description="Variable, of the environment or of runtime.environment, that holds the guardrail's version.",
    )
    presidio_entities: Entities = Field(
        default=(),
        examples=["[EMAIL_ADDRESS, PHONE_NUMBER]"],
        description="Entities to look for; left out: all that work.",
    )
    presidio_language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = Field(
        default="en", examples=["en"], description="Language of the texts, two letters."
    )
    on_input: bool = Field(default=True, examples=[True], description="Whether what goes to the model is filtered.")
    on_output: bool = Field(default=True, examples=[False], description="Whether the answer is filtered.")
    action: Literal["mask", "block"] = Field(
        default="mask", examples=["block"], description="mask replaces what is found, block refuses the whole text."
    )


class Otlp(StrictModel):
    """A service that takes traces by the OpenTelemetry protocol: Langfuse, LangSmith, a collector."""

    endpoint: Url = Field(
        examples=["https://cloud.langfuse.com/api/public/otel"],
        description="Address of the service; traces go to its v1/traces.",
    )
    headers_env: SecretHeaders = Field(
        default_factory=dict,
        examples=["{Authorization: LANGFUSE_AUTHORIZATION}"],
        description="HTTP header to the name of the variable, and of the secret, that holds its value.",
    )
    headers: PlainHeaders = Field(
        default_factory=dict,
        examples=["{Langsmith-Project: tides}"],
        description="HTTP header to its value, for those that are no secret.",
    )
    content: bool = Field(
        default=False,
        examples=[True],
        description="Whether prompts, answers and what tools were asked and said are in the traces that go there.",
    )


class Observability(StrictModel):
    """What can be seen of the agent, and what must not be."""

    RULES: ClassVar[Rules] = (trace_faults,)

    enabled: bool = Field(default=True, examples=[False], description="Whether traces and metrics are recorded.")
    otlp: Otlp | None = Field(
        default=None,
        examples=["{endpoint: https://cloud.langfuse.com/api/public/otel}"],
        description="Where traces go beside CloudWatch.",
    )
    trace_attributes: Mapping[Line, VariableValue] = Field(
        default_factory=dict, max_length=50, examples=["{team: platform}"], description="Attributes on every span."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", examples=["DEBUG"], description="Least level of our own log lines."
    )
    data_protection: DataProtection = Field(
        default=DataProtection(),
        examples=["{provider: presidio}"],
        description="What keeps personal data from the model and from the answer.",
    )


class Check(StrictModel):
    """A prompt and what its answer must be, for the gate of a release."""

    RULES: ClassVar[Rules] = (check_faults,)

    name: CheckName = Field(examples=["greets"], description="Name of the check in reports.")
    prompt: Text = Field(min_length=1, examples=["Say hello."], description="What the agent is asked.")
    contains: Lines = Field(
        default=(), examples=["[hello]"], description="Texts that the answer holds, all of them, in capitals or not."
    )
    regex: Regex | None = Field(
        default=None, examples=["(?i)hello"], description="Expression that is found in the answer."
    )
    output_schema: SchemaRef | None = Field(
        default=None, examples=["analysis"], description="Schema that the structured answer fits."
    )
    tools: Tokens | None = Field(
        default=None, examples=["[search]"], description="Tools that are called, in this order; [] for none."
    )
    max_latency_ms: int | None = Field(
        default=None, ge=1, le=900_000, examples=[5000], description="Longest time, without the start of the session."
    )
    max_cost_usd: float | None = Field(
        default=None, gt=0, le=1000, allow_inf_nan=False, examples=[0.01], description="Highest cost."
    )
    max_iterations: int | None = Field(default=None, ge=1, le=100, examples=[3], description="Most model calls.")
    refuses: bool | None = Field(default=None, examples=[True], description="Whether the agent refuses to answer.")
    no_pii: bool | None = Field(
        default=None,
        examples=[True],
        description="Whether the answer must hold no personal data that patterns and checksums find: addresses of mail "
        "and IP, cards, IBANs, phone and US social security numbers.",
    )
    judge: Text | None = Field(
        default=None,
        min_length=1,
        max_length=4000,
        examples=["The answer is polite and names an hour."],
        description="What gate.judge_model must find true of the answer.",
    )


class Gate(StrictModel):
    """How the checks of a new version are run, before users reach it."""

    repetitions: int = Field(
        default=1, ge=1, le=20, examples=[3], description="Times that each check is made, each in a session of its own."
    )
    pass_threshold: float = Field(
        default=1.0,
        gt=0,
        le=1,
        allow_inf_nan=False,
        examples=[0.8],
        description="Share of the repetitions of each check that must pass.",
    )
    max_cost_usd: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        allow_inf_nan=False,
        examples=[0.5],
        description="Most that all checks may cost; what would come after is not run, and fails.",
    )
    judge_model: Token | None = Field(
        default=None,
        examples=["demo"],
        description="Model of the gateway that judges the answers of checks with judge.",
    )


class Budget(StrictModel):
    """What the agent may spend at the gateway, by the virtual key that is minted for it."""

    RULES: ClassVar[Rules] = (budget_faults,)

    max_usd: float | None = Field(
        default=None,
        gt=0,
        le=10_000_000,
        allow_inf_nan=False,
        examples=[50],
        description="Most US dollars in a period.",
    )
    per: Literal["day", "week", "month"] = Field(default="month", examples=["day"], description="The period.")
    rpm: int | None = Field(default=None, ge=1, le=10_000_000, examples=[60], description="Most requests a minute.")
    tpm: int | None = Field(
        default=None, ge=1, le=1_000_000_000, examples=[100000], description="Most tokens a minute."
    )
    models: Tokens = Field(
        default=(), examples=["[demo]"], description="Further models of the gateway that the key opens."
    )
