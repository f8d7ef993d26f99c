"""Asks a deployed agent through `InvokeAgentRuntime`, streaming."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault, InputError, StrandlineError
from strandline.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from strandline.dialects import Question
    from strandline.targets import Target

_SHORTEST_SESSION_ID, _LONGEST_SESSION_ID = 33, 256


class AgentFailureError(StrandlineError):
    """Raised when the agent answers with a failure; the message names its type and its id in the log."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An agent's answer.

    Attributes:
        text: All text of the answer.
        first_text_ms: Milliseconds until the first piece of text.
        latency_ms: Milliseconds until the last.
        body: The handler's last event, with usage, model and cost.
    """

    text: str
    first_text_ms: float | None
    latency_ms: float
    body: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The object that `invoke --json` prints; `None` where nothing is known."""
        model = self.body.get("model") or {}
        return {
            "text": self.text,
            "structured": self.body.get("structured"),
            "agent": self.body.get("agent"),
            "version": self.body.get("version"),
            "session_id": self.body.get("session_id"),
            "model": model.get("answered") or model.get("requested"),
            "usage": self.body.get("usage"),
            "cost_usd": self.body.get("cost_usd"),
            "latency_ms": self.latency_ms,
        }


def new_session_id() -> str:
    """Makes a session id as long as AgentCore wants them."""
    return f"strandline-{uuid.uuid4()}"


@dataclass(frozen=True, slots=True)
class Runtime:
    """An agent's runtime.

    Attributes:
        arn: Its ARN.
        protocol: What it serves: HTTP, MCP or A2A.
    """

    arn: str
    protocol: str


def find_runtime(target: Target, agent: str) -> Runtime:
    """Finds an agent's runtime by its stack.

    Args:
        target: The environment.
        agent: Id of the agent.

    Returns:
        The runtime.

    Raises:
        InputError: The agent is not deployed there.
    """
    client = target.client("cloudformation")
    stack = target.agent_stack_name(agent)
    try:
        outputs = client.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    except client.exceptions.ClientError:
        outputs = []
    values = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    if "RuntimeArn" not in values:
        name = target.environment.name
        raise InputError(
            f"The agent {agent!r} is not deployed in {name}: see `strandline status --env {name}`, "
            f"or deploy it with `strandline deploy --env {name}`."
        )
    return Runtime(values["RuntimeArn"], values.get("Protocol", "HTTP"))


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
    question = dialect.ask(agent, prompt, session_id)
    started = time.perf_counter()
    response = _invoke(target, question, agentRuntimeArn=runtime.arn, qualifier=LIVE, runtimeSessionId=session_id)
    return _read(dialect.read(_messages(response)), started, on_text)


def _invoke(target: Target, question: Question, **request: str) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return target.client("bedrock-agentcore").invoke_agent_runtime(
            contentType="application/json",
            accept=question.accept,
            payload=json.dumps(question.payload).encode(),
            **question.parameters,
            **request,
        )
    except ClientError as error:
        said = error.response["Error"]
        raise EnvironmentFault(f"AgentCore refuses ({said.get('Code')}): {said.get('Message')}") from None
    except BotoCoreError as error:
        raise EnvironmentFault(f"AgentCore cannot be reached ({type(error).__name__}).") from None


def _messages(answer: Any) -> Iterator[dict[str, Any]]:
    """The answer's messages: the events of a stream, or the one that its body is."""
    if not answer.get("contentType", "").startswith("text/event-stream"):
        try:
            yield json.loads(answer["response"].read())
        except ValueError:
            raise AgentFailureError("The agent's answer is neither a stream of events nor JSON.") from None
        return
    for line in _lines(answer["response"]):
        if line.startswith(b"data:"):
            message = json.loads(line[len(b"data:") :])
            if isinstance(message, dict):
                yield message


def _lines(body: Any) -> Iterator[bytes]:
    """Lines as they come; botocore's own `iter_lines` waits for a kilobyte before it gives the first."""
    line = bytearray()
    for byte in body.iter_chunks(1):
        if byte == b"\n":
            yield bytes(line)
            line.clear()
        else:
            line += byte


def _read(events: Iterator[dict[str, Any]], started: float, on_text: Callable[[str], None]) -> Answer:
    pieces: list[str] = []
    first: float | None = None
    last: dict[str, Any] = {}
    for event in events:
        if "error" in event:
            failure = event["error"]
            told = [failure.get("type"), f"id {failure['id']} in the log" if failure.get("id") else None]
            raise AgentFailureError(f"{failure.get('message')} ({', '.join(part for part in told if part)})")
        text = event.get("event", {}).get("contentBlockDelta", {}).get("delta", {}).get("text")
        if text:
            first = first if first is not None else _since(started)
            pieces.append(text)
            on_text(text)
        last = event
    if "result" not in last:
        raise AgentFailureError("The stream ended before the agent's answer did.")
    return Answer(text="".join(pieces), first_text_ms=first, latency_ms=_since(started), body=last)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
