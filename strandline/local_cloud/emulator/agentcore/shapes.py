"""AgentCore's resources: CloudFormation's properties to the API's members, and what the service refuses. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Body = dict[str, Any]

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,47}")
_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,255}")
RUNTIMES = (*(f"PYTHON_3_{minor}" for minor in range(10, 15)), "NODE_22")
MAXIMUM_VARIABLES = 50
_MAXIMUM_HEADERS = 20
_ENTRY_POINT_PARTS = 2
_ENTRY_POINT_LENGTH = 128
_TIMEOUTS = (60, 28_800)
_DEFAULT_IDLE, _DEFAULT_LIFETIME = 900, 28_800

# What belongs to a version of a runtime; everything else of a record belongs to the runtime.
VERSIONED = (
    "agentRuntimeArtifact",
    "roleArn",
    "networkConfiguration",
    "description",
    "protocolConfiguration",
    "environmentVariables",
    "authorizerConfiguration",
    "requestHeaderConfiguration",
    "lifecycleConfiguration",
    "metadataConfiguration",
    "filesystemConfigurations",
    "capacityProviderConfiguration",
    "platformVersion",
)
_RUNTIME_PROPERTIES = {"AgentRuntimeName", "Tags"} | {name[0].upper() + name[1:] for name in VERSIONED}
_ENDPOINT_PROPERTIES = {"AgentRuntimeId", "AgentRuntimeVersion", "Name", "Description", "Tags"}


class Invalid(Exception):
    """Raised when the service would answer ValidationException."""


def runtime_body(properties: Body) -> Body:
    """The API's request for a CloudFormation Runtime."""
    _refuse_unknown(properties, _RUNTIME_PROPERTIES)
    rest = {key: value for key, value in properties.items() if key not in {"EnvironmentVariables", "Tags"}}
    body: Body = _members(rest)
    if "EnvironmentVariables" in properties:  # its keys are the user's
        body["environmentVariables"] = {key: str(value) for key, value in properties["EnvironmentVariables"].items()}
    if isinstance(body.get("protocolConfiguration"), str):
        body["protocolConfiguration"] = {"serverProtocol": body["protocolConfiguration"]}
    lifecycle = body.get("lifecycleConfiguration", {})
    body["tags"] = properties.get("Tags", {})
    return body | (
        {"lifecycleConfiguration": {key: int(value) for key, value in lifecycle.items()}} if lifecycle else {}
    )


def endpoint_body(properties: Body) -> Body:
    """The API's request for a CloudFormation RuntimeEndpoint."""
    _refuse_unknown(properties, _ENDPOINT_PROPERTIES)
    body: Body = _members({key: value for key, value in properties.items() if key != "Tags"})
    return body


def platform(body: Body) -> int:
    """The platform version: 1 unless 2 is asked for."""
    return 2 if str(body.get("platformVersion", "")).upper().lstrip("V").startswith("2") else 1


def idle_timeout(body: Body) -> int:
    """Seconds without a request after which a session ends."""
    return int(body.get("lifecycleConfiguration", {}).get("idleRuntimeSessionTimeout", _DEFAULT_IDLE))


def lifetime(body: Body) -> int:
    """The longest life of a session in seconds."""
    return int(body.get("lifecycleConfiguration", {}).get("maxLifetime", _DEFAULT_LIFETIME))


def validate(body: Body) -> None:
    """Refuse what the service refuses.

    Raises:
        Invalid: The first thing that is wrong.
    """
    for check in _CHECKS:
        check(body)


def _refuse_unknown(properties: Body, known: set[str]) -> None:
    unknown = sorted(set(properties) - known)
    if unknown:
        raise Invalid(f"Encountered unsupported property {unknown[0]}")


def _members(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: _members(member) for key, member in value.items()}
    return [_members(member) for member in value] if isinstance(value, list) else value


def _check_name(body: Body) -> None:
    name = body.get("agentRuntimeName", "")
    if not NAME.fullmatch(name):
        raise Invalid(
            f"Value '{name}' at 'agentRuntimeName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {NAME.pattern}"
        )


def _check_artifact(body: Body) -> None:
    artifact = body.get("agentRuntimeArtifact") or {}
    if len(artifact) != 1 or next(iter(artifact)) not in {"codeConfiguration", "containerConfiguration"}:
        raise Invalid("agentRuntimeArtifact must hold one of codeConfiguration and containerConfiguration")
    code = artifact.get("codeConfiguration")
    if code is None:
        return
    if code.get("runtime") not in RUNTIMES:
        raise Invalid(
            f"Value '{code.get('runtime')}' at 'agentRuntimeArtifact.codeConfiguration.runtime' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(RUNTIMES)}]"
        )
    entry_point = code.get("entryPoint") or []
    if not 1 <= len(entry_point) <= _ENTRY_POINT_PARTS or any(
        not 1 <= len(part) <= _ENTRY_POINT_LENGTH for part in entry_point
    ):
        raise Invalid(
            "agentRuntimeArtifact.codeConfiguration.entryPoint must have one or two members of 1 to 128 characters"
        )
    if not all((code.get("code", {}).get("s3") or {}).get(member) for member in ("bucket", "prefix")):
        raise Invalid("agentRuntimeArtifact.codeConfiguration.code.s3 must name bucket and prefix")


def _check_environment(body: Body) -> None:
    variables = body.get("environmentVariables") or {}
    if len(variables) > MAXIMUM_VARIABLES:
        raise Invalid(f"environmentVariables has {len(variables)} members; at most {MAXIMUM_VARIABLES} are allowed")
    for name in variables:
        if not _VARIABLE.fullmatch(name):
            raise Invalid(f"'{name}' is not a name for an environment variable")
    size = sum(len(f"{name}{value}".encode()) for name, value in variables.items())
    limit = environment_limit(body)
    if size > limit:
        raise Invalid(f"environmentVariables are {size} bytes in all; platform V{platform(body)} allows {limit}")


def environment_limit(body: Body) -> int:
    """Bytes of names and values in all."""
    if platform(body) == 1:
        return 4096
    return 1536 if "codeConfiguration" in body.get("agentRuntimeArtifact", {}) else 2560


def _check_network(body: Body) -> None:
    network = body.get("networkConfiguration") or {"networkMode": "PUBLIC"}
    mode = network.get("networkMode")
    if mode not in {"PUBLIC", "VPC"}:
        raise Invalid(f"Value '{mode}' at 'networkConfiguration.networkMode' must be PUBLIC or VPC")
    detail = network.get("networkModeConfig") or {}
    if mode == "VPC" and not (detail.get("subnets") and detail.get("securityGroups")):
        raise Invalid(
            "networkConfiguration.networkModeConfig must name subnets and securityGroups when networkMode is VPC"
        )


def _check_lifecycle(body: Body) -> None:
    idle, longest = idle_timeout(body), lifetime(body)
    low, high = _TIMEOUTS
    for member, value in (("idleRuntimeSessionTimeout", idle), ("maxLifetime", longest)):
        if not low <= value <= high:
            raise Invalid(f"lifecycleConfiguration.{member} is {value}; it must be from {low} to {high}")
    if idle > longest:
        raise Invalid("lifecycleConfiguration.idleRuntimeSessionTimeout must not be more than maxLifetime")


def _check_headers(body: Body) -> None:
    configuration = body.get("requestHeaderConfiguration")
    if not configuration:
        return
    allowed = configuration.get("requestHeaderAllowlist") or []
    if not 1 <= len(allowed) <= _MAXIMUM_HEADERS or not all(_HEADER.fullmatch(name) for name in allowed):
        raise Invalid("requestHeaderConfiguration.requestHeaderAllowlist must have 1 to 20 header names")


def _check_protocol(body: Body) -> None:
    protocol = (body.get("protocolConfiguration") or {}).get("serverProtocol", "HTTP")
    if protocol not in {"HTTP", "MCP", "A2A", "AGUI"}:
        raise Invalid(f"Value '{protocol}' at 'protocolConfiguration.serverProtocol' must be HTTP, MCP, A2A or AGUI")


_CHECKS: tuple[Callable[[Body], None], ...] = (
    _check_name,
    _check_artifact,
    _check_environment,
    _check_network,
    _check_lifecycle,
    _check_headers,
    _check_protocol,
)
