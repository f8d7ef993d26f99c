"""What is deployed in an environment, as AWS tells it."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from strandline.aws_errors import told
from strandline.canaries import running_canaries, summary
from strandline.deployed_stacks import list_stacks
from strandline.gateway_service import find_gateway
from strandline.secret_inventory import list_secrets
from strandline.targets import CALLS_AT_ONCE
from strandline.usage import read_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.custom_resources.canary_routes import Route
    from strandline.deployed_stacks import DeployedStack
    from strandline.targets import Target
    from strandline.usage import Usage


@dataclass(frozen=True, slots=True)
class DeployedAgent:
    """One agent's runtime.

    Attributes:
        agent: Id of the agent.
        runtime: Name of the AgentCore runtime.
        arn: Its ARN.
        version: Newest version.
        live: Version behind the endpoint `live`; `None` while there is none.
        candidate: Version that the checks ask, behind the endpoint `candidate`.
        previous: Version that a rollback goes back to, behind the endpoint `previous`.
        bundle: Hash of the bundle that callers get.
        code: Hash of the code artefact that callers get.
        status: AgentCore's status.
        canary: What a version on trial gets, where a canary runs.
    """

    agent: str
    runtime: str
    arn: str
    version: str
    live: str | None
    candidate: str | None
    previous: str | None
    bundle: str | None
    code: str | None
    status: str
    canary: str | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """All of an environment.

    Attributes:
        stacks: Name of each stack to its CloudFormation status.
        agents: Runtimes.
        gateway: Tasks of the gateway, desired and running; `None` without a gateway.
        secrets: Variable to whether its secret has a value.
        secret_ages: Variable to the whole days since its secret last changed.
        usage: Id of an agent to what it did and cost since the month began.
    """

    stacks: dict[str, str]
    agents: list[DeployedAgent]
    gateway: dict[str, Any] | None
    secrets: dict[str, bool]
    secret_ages: dict[str, int]
    usage: dict[str, Usage]

    def as_dict(self) -> dict[str, Any]:
        """The object that `status --json` prints."""
        return asdict(self)


def take_inventory(target: Target) -> Inventory:
    """Asks AWS what the environment holds.

    Args:
        target: The environment.

    Returns:
        What there is; empty for an environment that was never deployed.

    Raises:
        EnvironmentFault: AWS refuses, or cannot be reached.
    """
    secrets = list_secrets(target)
    now = dt.datetime.now(dt.UTC)
    stacks = list_stacks(target)
    agents = list_agents(target, stacks)
    return Inventory(
        stacks={name: stack.status for name, stack in stacks.items()},
        agents=agents,
        gateway=read_gateway(target),
        secrets={variable: bool(secret.get("SecretVersionsToStages")) for variable, secret in secrets.items()},
        secret_ages={
            variable: (now - (secret.get("LastChangedDate") or secret["CreatedDate"])).days
            for variable, secret in secrets.items()
        },
        usage=read_usage(target, [agent.agent for agent in agents], now),
    )


def list_runtimes(target: Target) -> list[dict[str, Any]]:
    """Lists the environment's runtimes ("ListAgentRuntimes").

    Args:
        target: The environment.

    Returns:
        What AgentCore tells of each.

    Raises:
        EnvironmentFault: AWS refuses, or cannot be reached.
    """
    client = target.client("bedrock-agentcore-control")
    prefix = f"{target.environment.name}_"
    with told("AgentCore", f"AgentCore does not tell what runs in {target.environment.name}"):
        pages = client.get_paginator("list_agent_runtimes").paginate()
        runtimes = [runtime for page in pages for runtime in page["agentRuntimes"]]
    return [runtime for runtime in runtimes if runtime["agentRuntimeName"].startswith(prefix)]


def list_agents(target: Target, stacks: Mapping[str, DeployedStack]) -> list[DeployedAgent]:
    """Lists the environment's agents.

    Args:
        target: The environment.
        stacks: Its stacks, by name.

    Returns:
        The agents; also one that has no stack.

    Raises:
        EnvironmentFault: AWS refuses, or cannot be reached.
    """
    ours = list_runtimes(target)
    # A runtime's name is its agent's id with other characters: the stack tells the id.
    told_by = [stack.outputs for stack in stacks.values() if "Agent" in stack.outputs]
    ids = {outputs["RuntimeArn"]: outputs["Agent"] for outputs in told_by}
    canaries = {route.runtime_arn: route for route in running_canaries(target)} if ours else {}

    def read(runtime: dict[str, Any]) -> DeployedAgent:
        arn = runtime["agentRuntimeArn"]
        return _agent(target, runtime, ids.get(arn), canaries.get(arn))

    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        return list(pool.map(read, ours))


def _agent(target: Target, runtime: dict[str, Any], agent: str | None, canary: Route | None) -> DeployedAgent:
    from stacks.names import CANDIDATE, LIVE, PREVIOUS
    from strandline.endpoints import Endpoints
    from strandline.invocation import Runtime

    endpoints = Endpoints(target, Runtime(runtime["agentRuntimeArn"], ""))
    behind = endpoints.versions_behind()
    live = behind.get(LIVE)
    reached = endpoints.version(live) if live else None
    return DeployedAgent(
        agent=agent or runtime["agentRuntimeName"].removeprefix(f"{target.environment.name}_"),
        runtime=runtime["agentRuntimeName"],
        arn=runtime["agentRuntimeArn"],
        version=runtime["agentRuntimeVersion"],
        live=live,
        candidate=behind.get(CANDIDATE),
        previous=behind.get(PREVIOUS),
        bundle=reached.bundle if reached else None,
        code=reached.code if reached else None,
        status=runtime["status"],
        canary=f"version {canary.version} gets {summary(canary)}" if canary else None,
    )


def read_gateway(target: Target) -> dict[str, Any] | None:
    """Asks ECS how the gateway's service is ("DescribeServices").

    Args:
        target: The environment.

    Returns:
        Its tasks, desired and running; nothing without a gateway.

    Raises:
        EnvironmentFault: AWS refuses, or cannot be reached.
    """
    found = find_gateway(target)
    if found is None:
        return None
    with told("ECS", f"ECS does not tell how the gateway of {target.environment.name} is"):
        service = found.describe(target.client("ecs"))
    return {
        key: service.get(key) for key in ("serviceName", "status", "desiredCount", "runningCount", "taskDefinition")
    }
