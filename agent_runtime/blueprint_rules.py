"""The kinds of text that only a blueprint's fields hold, each with the rule that it keeps."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StringConstraints

from agent_runtime.addresses import check_url
from agent_runtime.expansion import ExpansionFault, check_form, holds_reference
from agent_runtime.quoting import looks_like_secret
from agent_runtime.rules import (
    AnyHeaderName,
    EnvName,
    HeaderName,
    Line,
    Token,
    VariableName,
    VariableValue,
    check_word,
    is_semver,
)
from agent_runtime.strict import broken_rule

GATEWAY = "gateway"
"""The value of `model.base_url` that means the proxy that Strandline deploys."""

PORTS = {"HTTP": 8080, "MCP": 8000, "A2A": 9000}
"""Where AgentCore calls a runtime of each protocol ("Understand the AgentCore Runtime service contract")."""

_OTHER_PLATFORM = "linux/amd64"
# What the blueprint says elsewhere, or the agent itself: a parameter of that name would win without a word.
_OWN_PARAMETERS = {
    "model": "model.model_id",
    "model_id": "model.model_id",
    "temperature": "model.temperature",
    "max_tokens": "model.max_tokens",
    "stream": "model.stream",
    "api_key": "model.api_key_env",
    "api_base": "model.base_url",
    "base_url": "model.base_url",
    "extra_headers": "model.extra_headers_env",
    "headers": "model.extra_headers_env",
    "timeout": "model.timeout_seconds",
    "num_retries": "model.num_retries",
    "max_retries": "model.num_retries",
    "thinking": "thinking",
    "messages": "",
    "system": "",
    "tools": "tools",
    "tool_choice": "",
    "custom_llm_provider": "model.provider",
}


def _check_platform(value: object) -> object:
    if value == _OTHER_PLATFORM:
        raise broken_rule("AgentCore runs arm64 only", "write linux/arm64, or remove it")
    return value


def _check_references(text: str) -> str:
    try:
        check_form(text)
    except ExpansionFault as fault:
        raise broken_rule(fault.message, fault.hint) from None
    return text


def _check_model_id(text: str) -> str:
    _check_references(text)
    return check_word(text)


def _check_base_url(value: str) -> str:
    # What stands there after the expansion is checked again, by the same rule.
    if value == GATEWAY or holds_reference(value):
        return check_word(_check_references(value))
    if "://" not in value:
        raise broken_rule(
            "is neither the word gateway nor an address",
            "write gateway for the proxy that Strandline deploys, or https://host/path for another",
        )
    return check_url(value)


def _check_prompt_ref(value: str) -> str:
    if ".." in value:
        raise broken_rule("holds '..'", "name a file of the prompts folder, without its .md")
    _, at, version = value.partition("@")
    if at and not is_semver(version):
        raise broken_rule("has no semantic version after the @", "write three numbers, for example support@1.2.0")
    return value


def _check_parameter(name: str) -> str:
    home = _OWN_PARAMETERS.get(name)
    if home is not None:
        hint = f"say it in {home}" if home else "remove it: the agent fills it in at each call"
        raise broken_rule(f"{name} is not for params", hint)
    return name


def _check_plain(value: JsonValue) -> JsonValue:
    """Refuse, at any depth, what JSON cannot carry and what looks like a key."""
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, float) and not math.isfinite(part):
            raise broken_rule("holds a number that is not finite", "write a finite number")
        elif isinstance(part, str) and looks_like_secret(part):
            raise broken_rule("holds what looks like a secret", "name its variable in api_key_env or extra_headers_env")
    return value


def _check_regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        raise broken_rule("is not a regular expression", "write one as for Python's re module") from None
    return pattern


def _check_distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(items)) != len(items):
        raise broken_rule("names the same thing twice", "name each once")
    return items


def _check_mcp(value: object) -> object:
    if isinstance(value, str):
        raise broken_rule(
            "is the name of a server of the AgentCore gateway, which this version does not look up",
            "write mcp: {url: https://..., allow: [tool, ...]}",
        )
    return value


BlueprintId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]{0,31}$")]
PromptRef = Annotated[
    str,
    StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._@+-]*$", max_length=128),
    AfterValidator(_check_prompt_ref),
]
# A file's name without .json, or a class in the user's code.
SchemaRef = Annotated[
    str,
    StringConstraints(
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*"
        r"|[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*)$",
        max_length=128,
    ),
]
PythonRef = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$", max_length=256
    ),
]
BuiltinName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
EntityName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
CheckName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$")]
CacheKey = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._:-]{0,63}$")]
ModelId = Annotated[str, StringConstraints(max_length=512), AfterValidator(_check_model_id)]
BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
Url = Annotated[str, AfterValidator(check_url)]
ParameterName = Annotated[Token, AfterValidator(_check_parameter)]
Parameter = Annotated[JsonValue, AfterValidator(_check_plain)]
Regex = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(_check_regex)]
Platform = BeforeValidator(_check_platform)
McpName = BeforeValidator(_check_mcp)
Headers = Annotated[Mapping[HeaderName, EnvName], Field(max_length=20)]
SecretHeaders = Annotated[Mapping[AnyHeaderName, EnvName], Field(max_length=20)]
PlainHeaders = Annotated[Mapping[AnyHeaderName, VariableValue], Field(max_length=20)]
ChildEnvironment = Annotated[Mapping[VariableName, EnvName], Field(max_length=20)]
# A sequence in YAML and JSON is a list; the tuple keeps the model frozen. Its members stay strict.
Lines = Annotated[tuple[Line, ...], Field(strict=False, max_length=50)]
# TagKey of the AgentCore API, less what stands before the word.
Tag = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9 ._:/=+@-]{1,64}$")]
Tags = Annotated[tuple[Tag, ...], Field(strict=False, max_length=20), AfterValidator(_check_distinct)]
Tokens = Annotated[tuple[Token, ...], Field(strict=False, max_length=100), AfterValidator(_check_distinct)]
Entities = Annotated[tuple[EntityName, ...], Field(strict=False, max_length=100), AfterValidator(_check_distinct)]
