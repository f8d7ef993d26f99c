"""Finds deployed agents of the project at hand, to ask them or to look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from strandline.client import Agent
from strandline.deployed_stacks import stack_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.custom_resources.agent_calls import Answer
    from strandline.targets import Target


def told_of(answer: Answer) -> dict[str, Any]:
    """Gives the object that `invoke --json` prints of an answer; `None` where nothing is known."""
    body = answer.body
    model = body.get("model") or {}
    return {
        "text": answer.text,
        "structured": body.get("structured"),
        "agent": body.get("agent"),
        "version": body.get("version"),
        "session_id": body.get("session_id"),
        "model": model.get("answered") or model.get("requested"),
        "usage": body.get("usage"),
        "cost_usd": body.get("cost_usd"),
        "latency_ms": answer.latency_ms,
    }


@dataclass(frozen=True, slots=True)
class Runtime:
    """An agent's runtime.

    Attributes:
        arn: Its ARN.
        protocol: What it serves: HTTP, MCP or A2A.
    """

    arn: str
    protocol: str

    @property
    def runtime_id(self) -> str:
        """Its id, by which the control plane knows it."""
        return self.arn.rpartition("/")[2]


def find_runtime(target: Target, agent: str) -> Runtime:
    """Finds an agent's runtime by its stack.

    Args:
        target: The environment.
        agent: Id of the agent.

    Returns:
        The runtime.

    Raises:
        InputError: The agent is not deployed there.
        EnvironmentFault: CloudFormation refuses, or cannot be reached.
    """
    found = runtime_of(stack_outputs(target, target.agent_stack_name(agent)))
    if found is None:
        name = target.environment.name
        raise InputError(
            f"The agent {agent!r} is not deployed in {name}: see `strandline status --env {name}`, "
            f"or deploy it with `strandline deploy --env {name}`."
        )
    return found


def runtime_of(outputs: Mapping[str, str]) -> Runtime | None:
    """Gives the runtime that an agent's stack tells of, by the stack's outputs."""
    arn = outputs.get("RuntimeArn")
    return Runtime(arn, outputs.get("Protocol", "HTTP")) if arn else None


def open_agent(target: Target, agent: str) -> Agent:
    """Finds an agent to ask.

    Args:
        target: The environment.
        agent: Id of the agent.

    Returns:
        The agent.

    Raises:
        InputError: The agent is not deployed there.
    """
    runtime = find_runtime(target, agent)
    return Agent(
        agent,
        environment=target.environment.name,
        runtime_arn=runtime.arn,
        protocol=runtime.protocol,
        agents=target.client("bedrock-agentcore"),
        parameters=target.client("ssm"),
    )
