"""What looks into the traffic: guardrails that may refuse or mask, and services that are told of each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from agent_runtime.rules import Line, Token
from agent_runtime.strict import Fault, Rules, StrictModel, broken_rule
from gateway.deployments import Literally, Place, SecretVariable, Url

_Entity = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
_GuardrailName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$")]
_Literal = Annotated[Token, Literally]


def _check_moments(moments: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(moments)) != len(moments):
        raise broken_rule("names the same moment twice", "name each once")
    return moments


Moments = Annotated[
    tuple[Literal["input", "output", "parallel"], ...],
    Field(strict=False, min_length=1, max_length=3),
    AfterValidator(_check_moments),
]


class PresidioGuardrail(StrictModel):
    """Personal data, found by Microsoft Presidio's two servers."""

    analyzer_url: Url = Field(
        examples=["http://localhost:5002"], description="Address of the analyzer; plain http for a sidecar only."
    )
    anonymizer_url: Url = Field(
        examples=["http://localhost:5001"], description="Address of the anonymizer; plain http for a sidecar only."
    )
    entities: Mapping[_Entity, Literal["mask", "block"]] = Field(
        min_length=1,
        max_length=100,
        examples=["{EMAIL_ADDRESS: mask, CREDIT_CARD: block}"],
        description="Presidio's entity to what happens to it.",
    )
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = Field(
        default="en", examples=["de"], description="Language of the texts, two letters."
    )
    restore_output: bool = Field(
        default=False, examples=[True], description="Whether what was masked stands in the answer again."
    )


class BedrockGuardrail(StrictModel):
    """A guardrail of Amazon Bedrock, asked with the role of the gateway's task."""

    guardrail_id: Annotated[
        str,
        StringConstraints(pattern=r"^([a-z0-9]+|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:guardrail/[a-z0-9]+)$"),
    ] = Field(examples=["a1b2c3d4e5f6"], description="Id or ARN of the guardrail.")
    version: Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,7}|DRAFT)$")] = Field(
        examples=["1"], description="Version, in quotes; DRAFT changes under you."
    )
    region: Place | None = Field(
        default=None, examples=["eu-central-1"], description="Its region. Left out: the gateway's."
    )
    mask: bool = Field(
        default=False, examples=[True], description="Whether what it masks is taken over, and not refused."
    )


def _guardrail_faults(guardrail: Guardrail) -> Iterator[Fault]:
    if (guardrail.presidio is None) == (guardrail.bedrock is None):
        yield Fault("wants one of presidio and bedrock", "add presidio: {...} or bedrock: {...}, and not both")
    if guardrail.presidio and "parallel" in guardrail.when:
        yield Fault(
            "presidio cannot mask a request that is on its way already", "write input in place of parallel", ("when",)
        )


class Guardrail(StrictModel):
    """What requests and answers are held to."""

    RULES: ClassVar[Rules] = (_guardrail_faults,)

    name: _GuardrailName = Field(examples=["personal-data"], description="Its name in logs, errors and requests.")
    when: Moments = Field(
        default=("input",),
        examples=["[input, output]"],
        description="input is before the model is asked, parallel beside it (the answer waits), output after it.",
    )
    always: bool = Field(
        default=True, examples=[False], description="Whether every request is held to it, or those that ask for it."
    )
    presidio: PresidioGuardrail | None = Field(
        default=None,
        examples=["{analyzer_url: ..., anonymizer_url: ..., entities: {EMAIL_ADDRESS: mask}}"],
        description="Personal data, found by Presidio.",
    )
    bedrock: BedrockGuardrail | None = Field(
        default=None, examples=["{guardrail_id: a1b2c3d4e5f6, version: '1'}"], description="A guardrail of Bedrock."
    )


class Otel(StrictModel):
    """A collector of OpenTelemetry."""

    endpoint: Url = Field(examples=["https://otel.example.com"], description="Address; traces go to its v1/traces.")
    headers_env: SecretVariable | None = Field(
        default=None,
        examples=["OTEL_HEADERS_VALUE"],
        description="Name of the secret that holds its headers, written name=value,name=value.",
    )
    service_name: Annotated[Line, Literally] = Field(
        default="strandline-gateway", examples=["gateway"], description="Name of the service in traces."
    )


class Langfuse(StrictModel):
    """Langfuse, told by OpenTelemetry."""

    host: Url = Field(
        default="https://cloud.langfuse.com",
        examples=["https://us.cloud.langfuse.com"],
        description="Address of Langfuse.",
    )
    public_key_env: SecretVariable = Field(
        default="LANGFUSE_PUBLIC_KEY", examples=["LANGFUSE_PUBLIC_KEY"], description="Secret with the public key."
    )
    secret_key_env: SecretVariable = Field(
        default="LANGFUSE_SECRET_KEY", examples=["LANGFUSE_SECRET_KEY"], description="Secret with the secret key."
    )


class Langsmith(StrictModel):
    """LangSmith."""

    api_key_env: SecretVariable = Field(
        default="LANGSMITH_API_KEY", examples=["LANGSMITH_API_KEY"], description="Secret with the key."
    )
    project: _Literal = Field(default="strandline", examples=["tides"], description="The project that runs go to.")
    base_url: Url = Field(
        default="https://api.smith.langchain.com",
        examples=["https://eu.api.smith.langchain.com"],
        description="Address of LangSmith.",
    )


class Helicone(StrictModel):
    """Helicone."""

    api_key_env: SecretVariable = Field(
        default="HELICONE_API_KEY", examples=["HELICONE_API_KEY"], description="Secret with the key."
    )
    api_base: Url = Field(
        default="https://api.worker.helicone.ai",
        examples=["https://api.us.helicone.ai"],
        description="Address of Helicone.",
    )


class CloudWatch(StrictModel):
    """Metrics of each call in CloudWatch, by the embedded metric format in the gateway's log."""

    namespace: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/#:-]{1,255}$")] = Field(
        default="Strandline/Gateway", examples=["Tides/Gateway"], description="Namespace of the metrics."
    )


class Callbacks(StrictModel):
    """Services that are told of each call; what is left out is told nothing."""

    otel: Otel | None = Field(
        default=None, examples=["{endpoint: https://otel.example.com}"], description="A collector of OpenTelemetry."
    )
    langfuse: Langfuse | None = Field(default=None, examples=["{}"], description="Langfuse.")
    langsmith: Langsmith | None = Field(default=None, examples=["{project: tides}"], description="LangSmith.")
    helicone: Helicone | None = Field(default=None, examples=["{}"], description="Helicone.")
    cloudwatch: CloudWatch | None = Field(
        default=None, examples=["{}"], description="Metrics of each call in CloudWatch."
    )
    content: bool = Field(
        default=False, examples=[True], description="Whether they are told prompts and answers, or only their measures."
    )

    @property
    def secret_names(self) -> set[str]:
        """The variables that hold their keys."""
        names: set[str] = set()
        if self.otel and self.otel.headers_env:
            names.add(self.otel.headers_env)
        if self.langfuse:
            names |= {self.langfuse.public_key_env, self.langfuse.secret_key_env}
        for service in (self.langsmith, self.helicone):
            if service:
                names.add(service.api_key_env)
        return names
