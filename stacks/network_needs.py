"""What agents inside the VPC have to reach outside of it, read from their blueprints: no more of it is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.addresses import reach_of_url
from stacks.simulation import asks_gateway, is_simulated, network_mode_in, secret_names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent_runtime.blueprint import Blueprint
    from stacks.environments import Environment

SECRETS, LOGS, TRACES, BEDROCK = "secretsmanager", "logs", "xray", "bedrock-runtime"


@dataclass(frozen=True, slots=True)
class NetworkNeeds:
    """What the private subnets need.

    Attributes:
        services: AWS services by the names of their interface endpoints, sorted.
        internet: Whether something there calls an address outside AWS.
    """

    services: tuple[str, ...] = ()
    internet: bool = False


def find_network_needs(blueprints: Iterable[Blueprint], environment: Environment) -> NetworkNeeds:
    """Find out what the private subnets of an environment need.

    Addresses that a user's own Python tools call are in no blueprint; `nat_gateways` is for them.

    Args:
        blueprints: The environment's agents.
        environment: The environment.

    Returns:
        The needs of all agents with network mode PRIVATE, and of what mints the keys of a managed gateway.
    """
    private = [blueprint for blueprint in blueprints if network_mode_in(blueprint, environment) == "PRIVATE"]
    services = {service for blueprint in private for service in _services(blueprint, environment)}
    if environment.gateway.is_managed:
        services.add(SECRETS)
    return NetworkNeeds(
        services=tuple(sorted(services)),
        internet=any(_calls_internet(blueprint, environment) for blueprint in private),
    )


def _services(blueprint: Blueprint, environment: Environment) -> Iterator[str]:
    # "Configure Amazon Bedrock AgentCore Runtime and tools for VPC": the runtime's own log goes through the VPC.
    yield LOGS
    if asks_gateway(blueprint, environment) or secret_names_in(blueprint, environment):
        yield SECRETS
    if blueprint.observability.enabled:
        yield TRACES
    asks_bedrock = "bedrock" in (blueprint.model.provider, blueprint.observability.data_protection.provider)
    if asks_bedrock and not is_simulated(blueprint, environment):
        yield BEDROCK


def _calls_internet(blueprint: Blueprint, environment: Environment) -> bool:
    return _asks_a_model_outside(blueprint, environment) or any(
        reach_of_url(url) == "public" for url in _addresses(blueprint)
    )


def _asks_a_model_outside(blueprint: Blueprint, environment: Environment) -> bool:
    model = blueprint.model
    if asks_gateway(blueprint, environment):
        return False
    return reach_of_url(model.base_url) == "public" if model.base_url else model.provider != "bedrock"


def _addresses(blueprint: Blueprint) -> Iterator[str]:
    yield from (tool.mcp.url for tool in blueprint.tools if tool.mcp and tool.mcp.url)
    if blueprint.gateway and blueprint.gateway.url:
        yield blueprint.gateway.url
    if blueprint.observability.otlp:
        yield blueprint.observability.otlp.endpoint
