"""What is true of an agent in one environment only: the rules for where it may run, and the variables that it sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from agent_runtime.addresses import reach_of_url
from agent_runtime.blueprint_rules import GATEWAY
from agent_runtime.strict import Fault

if TYPE_CHECKING:
    from agent_runtime.blueprint import Blueprint, ExecutionMode

MAX_VARIABLES = 40
"""Variables that people may set on a runtime: AgentCore takes 50, and ten are ours."""

_OWN_BYTES = 512  # our pointers: bundle, gateway, secrets; about 450 with the longest names
_MAX_BYTES = {"V1": 4096 - _OWN_BYTES, "V2": 1536 - _OWN_BYTES}


class Destination(Protocol):
    """An environment, as far as a blueprint needs to know it."""

    @property
    def name(self) -> str:
        """Name of the environment."""
        ...

    @property
    def is_emulated(self) -> bool:
        """Whether it runs on this machine."""
        ...

    @property
    def execution_mode(self) -> ExecutionMode:
        """How agents run there."""
        ...

    @property
    def variables(self) -> Mapping[str, str]:
        """Variables for every agent there."""
        ...


def variables_of(agent: Blueprint, destination: Destination) -> dict[str, str]:
    """Return the variables that an agent sees in an environment; its own win."""
    return {**destination.variables, **agent.runtime.environment}


def destination_faults(agent: Blueprint, destination: Destination) -> Iterator[Fault]:
    """Find what keeps an agent from running in an environment.

    Args:
        agent: The blueprint, with the environment's overlay and its variables expanded.
        destination: The environment.

    Yields:
        The faults.
    """
    variables = variables_of(agent, destination)
    yield from _loopback(agent, destination)
    yield from _too_many(agent, variables)
    yield from _missing_guardrail(agent, variables)
    for name in agent.secret_names:
        if name in destination.variables:
            message = f"{name} is a secret of this agent and a plain variable of the environment"
            yield Fault(message, "take it out of the environment's variables", ("model",))


def _loopback(agent: Blueprint, destination: Destination) -> Iterator[Fault]:
    addresses: dict[tuple[str | int, ...], str | None] = {("model", "base_url"): agent.model.base_url}
    if agent.gateway:
        addresses["gateway", "url"] = agent.gateway.url
    for index, tool in enumerate(agent.tools):
        addresses["tools", index, "mcp", "url"] = tool.mcp.url if tool.mcp else None
    if agent.observability.otlp:
        addresses["observability", "otlp", "endpoint"] = agent.observability.otlp.endpoint
    for path, url in addresses.items():
        if url and url != GATEWAY and reach_of_url(url) == "loopback" and not destination.is_emulated:
            yield Fault(
                "leads to the machine itself, where nothing listens but in the environment local",
                "name the server's host; environments: {local: ...} says what differs there",
                path,
            )


def _too_many(agent: Blueprint, variables: Mapping[str, str]) -> Iterator[Fault]:
    at = ("runtime", "environment") if agent.runtime.environment else ()
    if len(variables) > MAX_VARIABLES:
        message = f"{len(variables)} variables with those of the environment, and a runtime takes {MAX_VARIABLES}"
        yield Fault(message, "remove some", at)
    sizes = {name: len(name.encode()) + len(value.encode()) for name, value in variables.items()}
    size = sum(sizes.values())
    version = agent.runtime.platform_version
    if size > _MAX_BYTES[version]:
        largest = ", ".join(f"{name} {sizes[name]:,}" for name in sorted(sizes, key=lambda name: -sizes[name])[:3])
        yield Fault(
            f"the variables take {size:,} bytes with those of the environment, and platform {version} has room for "
            f"{_MAX_BYTES[version]:,}; the largest: {largest}",
            "shorten or remove some" + ("; V1 has room for more" if version == "V2" else ""),
            at,
        )


def _missing_guardrail(agent: Blueprint, variables: Mapping[str, str]) -> Iterator[Fault]:
    protection = agent.observability.data_protection
    if protection.provider != "bedrock":
        return
    for field in ("guardrail_id_env", "guardrail_version_env"):
        name = getattr(protection, field)
        if not variables.get(name):
            yield Fault(
                f"the variable {name} is not set, so the guardrail could not be called",
                "set it in the environment's variables or in runtime.environment",
                ("observability", "data_protection", field),
            )
