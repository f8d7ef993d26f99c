"""One question to an agent through `InvokeAgentRuntime`, streaming, and its answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dialects import Question

Event = dict[str, Any]


class AgentFailed(Exception):
    """Raised with what an agent tells of its failure, or AgentCore of the agent's.

    Attributes:
        kind: Type of the failure (`docs/invocations.md`); nothing where the agent tells none.
        failure_id: Finds the failure in the agent's log.
        refused_by: AgentCore's error code, where it is AgentCore that refuses.
    """

    def __init__(
        self, message: str, *, kind: str | None = None, failure_id: str | None = None, refused_by: str | None = None
    ) -> None:
        told = [kind, f"id {failure_id} in the log" if failure_id else None]
        told = [part for part in told if part]
        super().__init__(f"{message} ({', '.join(part for part in told if part)})" if told else message)
        self.kind = kind
        self.failure_id = failure_id
        self.refused_by = refused_by


@dataclass(frozen=True)
class Answer:
    """An agent's answer.

    Attributes:
        text: All text of the answer.
        tools: Names of the tools that were called, in order.
        first_text_ms: Milliseconds until the first piece of text.
        latency_ms: Milliseconds until the last, the start of a new session included.
        body: The handler's last event, with usage, model and cost.
    """

    text: str
    tools: tuple[str, ...]
    first_text_ms: float | None
    latency_ms: float
    body: Mapping[str, Any]


def invoke(client: Any, question: Question, **request: str) -> Iterator[Event]:
    """Sends a question.

    Args:
        client: A client of `bedrock-agentcore`.
        question: What is sent.
        **request: Runtime, qualifier and session.

    Returns:
        The answer's messages: the events of a stream, or the one that its body is.

    Raises:
        AgentFailed: AgentCore refuses, or cannot be reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        response = client.invoke_agent_runtime(
            contentType="application/json",
            accept=question.accept,
            payload=json.dumps(question.payload).encode(),
            **question.parameters,
            **request,
        )
    except ClientError as error:
        said = error.response["Error"]
        code = str(said.get("Code"))
        raise AgentFailed(f"AgentCore refuses ({code}): {said.get('Message')}", refused_by=code) from None
    except BotoCoreError as error:
        name = type(error).__name__
        raise AgentFailed(f"AgentCore cannot be reached ({name}).", refused_by=name) from None
    return messages(response)


def read(events: Iterator[Event], started: float, on_text: Callable[[str], None] = lambda text: None) -> Answer:
    """Reads an answer's events.

    Args:
        events: The events, as the handler sends them over HTTP.
        started: `time.perf_counter()` when the question was sent.
        on_text: Called with each piece of text as it comes.

    Returns:
        The answer.

    Raises:
        AgentFailed: The agent failed, or its stream ended too early.
    """
    pieces: list[str] = []
    tools: list[str] = []
    first: float | None = None
    last: Event = {}
    for event in events:
        if "error" in event:
            failure = event["error"]
            raise AgentFailed(str(failure.get("message")), kind=failure.get("type"), failure_id=failure.get("id"))
        text = event.get("event", {}).get("contentBlockDelta", {}).get("delta", {}).get("text")
        if text:
            first = first if first is not None else _since(started)
            pieces.append(text)
            on_text(text)
        if event.get("type") == "tool_start":
            tools.append(event["tool"]["name"])
        last = event
    if "result" not in last:
        raise AgentFailed("The stream ended before the agent's answer did.")
    return Answer("".join(pieces), tuple(tools), first, _since(started), last)


def messages(answer: Any) -> Iterator[Event]:
    """Reads the messages of what `InvokeAgentRuntime` answers.

    Args:
        answer: boto3's answer.

    Yields:
        Each message.

    Raises:
        AgentFailed: The answer is none that an agent gives.
    """
    if not answer.get("contentType", "").startswith("text/event-stream"):
        try:
            yield json.loads(answer["response"].read())
        except ValueError:
            raise AgentFailed("The agent's answer is neither a stream of events nor JSON.") from None
        return
    from botocore.exceptions import BotoCoreError

    try:
        for line in _lines(answer["response"]):
            if line.startswith(b"data:"):
                message = json.loads(line[len(b"data:") :])
                if isinstance(message, dict):
                    yield message
    except BotoCoreError as error:
        raise AgentFailed(f"The agent's stream broke off ({type(error).__name__}).") from None
    except ValueError:
        raise AgentFailed("The agent's stream holds an event that is no JSON.") from None


def _lines(body: Any) -> Iterator[bytes]:
    """Lines as they come; botocore's own `iter_lines` waits for a kilobyte before it gives the first."""
    line = bytearray()
    for byte in body.iter_chunks(1):
        if byte == b"\n":
            yield bytes(line)
            line.clear()
        else:
            line += byte


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
