"""Asks a deployed agent through `InvokeAgentRuntime`, streaming."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault, InputError, StrandlineError
from stacks.custom_resources import agent_calls
from stacks.custom_resources.agent_calls import new_session_id
from stacks.custom_resources.dialects import DIALECTS
from strandline.deployed_stacks import stack_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stacks.custom_resources.agent_calls import Answer
    from strandline.targets import Target

__all__ = ["AgentFailureError", "Runtime", "ask", "find_runtime", "new_session_id", "runtime_of", "told_of"]

_SHORTEST_SESSION_ID, _LONGEST_SESSION_ID = 33, 256


class AgentFailureError(StrandlineError):
    """Raised when the agent answers with a failure; the message names its type and its id in the log."""


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


def ask(
    target: Target, agent: str, prompt: str, *, session_id: str, on_text: Callable[[str], None] = lambda text: None
) -> Answer:
    """Asks an agent, by the protocol that it serves, and reads its stream.

    Args:
        target: The environment.
        agent: Id of the agent.
        prompt: What to ask.
        session_id: AgentCore's session, 33 to 256 characters.
        on_text: Called with each piece of text as it comes.

    Returns:
        The answer.

    Raises:
        InputError: The agent is not deployed, or the session id has the wrong length.
        AgentFailureError: The agent failed.
        EnvironmentFault: AgentCore refuses or cannot be reached.
    """
    from stacks.names import LIVE

    if not _SHORTEST_SESSION_ID <= len(session_id) <= _LONGEST_SESSION_ID:
        raise InputError(
            f"A session id has {_SHORTEST_SESSION_ID} to {_LONGEST_SESSION_ID} characters; "
            f"{session_id!r} has {len(session_id)}."
        )
    runtime = find_runtime(target, agent)
    dialect = DIALECTS[runtime.protocol]
    started = time.perf_counter()
    try:
        messages = agent_calls.invoke(
            target.client("bedrock-agentcore"),
            dialect.ask(agent, prompt, session_id),
            agentRuntimeArn=runtime.arn,
            qualifier=LIVE,
            runtimeSessionId=session_id,
        )
        return agent_calls.read(dialect.read(messages), started, on_text)
    except agent_calls.AgentFailed as failed:
        kind = EnvironmentFault if failed.refused_by else AgentFailureError
        raise kind(str(failed)) from None
