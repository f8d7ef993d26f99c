"""One invocation: from the payload to the agent's events and its answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.failures import BadRequestError
from agent_runtime.openai_client import ModelAnswers, model_answers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from strands.agent.agent_result import AgentResult

    from agent_runtime.bundle import BundledAgent
    from agent_runtime.conversations import Conversations
    from agent_runtime.models import ModelSource

MAXIMUM_PROMPT_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the caller asks.

    Attributes:
        text: The user's message.
        stream: The payload's own wish for a stream; `None` leaves it to the `Accept` header.
    """

    text: str
    stream: bool | None

    @classmethod
    def from_payload(cls, payload: object) -> Prompt:
        """Reads the payload of `/invocations`.

        Args:
            payload: The decoded JSON: `{"prompt": "...", "stream": true}`, `stream` being optional.

        Returns:
            The prompt.

        Raises:
            BadRequestError: The payload is none that the agent takes.
        """
        if not isinstance(payload, dict):
            raise BadRequestError('The payload must be a JSON object such as {"prompt": "Hello"}.')
        text, stream = payload.get("prompt"), payload.get("stream")
        if not isinstance(text, str) or not text.strip():
            raise BadRequestError('The payload needs "prompt", a text that is not empty.')
        if len(text) > MAXIMUM_PROMPT_CHARACTERS:
            raise BadRequestError(f'"prompt" is longer than {MAXIMUM_PROMPT_CHARACTERS} characters.')
        if stream is not None and not isinstance(stream, bool):
            raise BadRequestError('"stream" must be true or false.')
        return cls(text=text, stream=stream)


class AgentService:
    """The agent of this process, for all of its sessions."""

    def __init__(self, agent: BundledAgent, source: ModelSource, conversations: Conversations) -> None:
        self._agent = agent
        self._source = source
        self._conversations = conversations

    async def events(self, prompt: Prompt, session_id: str) -> AsyncIterator[dict[str, Any]]:
        """Runs the agent on one prompt.

        Args:
            prompt: What the caller asks.
            session_id: The conversation that it belongs to.

        Yields:
            `{"event": ...}` for each Converse stream event as Strands emits them, and last the answer
            (see `_answer`).
        """
        from strands import Agent

        started = time.perf_counter()
        told = ModelAnswers()
        model_answers.set(told)
        blueprint = self._agent.blueprint
        async with self._conversations.turn(session_id) as messages:
            agent = Agent(
                model=await self._source.current(),
                messages=messages,
                system_prompt=self._agent.prompt,
                callback_handler=None,
                name=blueprint.name,
                agent_id=blueprint.id,
            )
            result: AgentResult | None = None
            async for event in agent.stream_async(prompt.text, limits={"turns": blueprint.runtime.max_iterations}):
                if "event" in event:
                    yield {"event": event["event"]}
                result = event.get("result", result)
        if result is None:
            raise RuntimeError("Strands ended the stream without a result.")
        yield self._answer(result, told, session_id, started)

    def _answer(self, result: AgentResult, told: ModelAnswers, session_id: str, started: float) -> dict[str, Any]:
        usage = result.metrics.accumulated_usage
        return {
            "result": {"role": "assistant", "content": result.message["content"]},
            "stop_reason": result.stop_reason,
            "structured": None,
            "agent": self._agent.blueprint.id,
            "version": self._agent.blueprint.version,
            "bundle": self._agent.sha256,
            "session_id": session_id,
            "model": {"requested": self._agent.blueprint.model.model_id, "answered": told.model},
            "usage": {
                "input_tokens": usage["inputTokens"],
                "output_tokens": usage["outputTokens"],
                "total_tokens": usage["totalTokens"],
            },
            "cost_usd": told.cost_usd,
            "latency_ms": round((time.perf_counter() - started) * 1000, 1),
        }
