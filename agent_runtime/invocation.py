"""One invocation: from the payload to the agent's events and its answer."""

from __future__ import annotations

import base64
import json
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from agent_runtime.failures import BadRequestError, NoAnswerError
from agent_runtime.guarded_events import Guard
from agent_runtime.limits import MAX_EXECUTION_TIME, MAX_ITERATIONS, STOPPED, OutOfTimeError, within
from agent_runtime.model_answers import ModelAnswers, model_answers
from agent_runtime.providers import system_prompt_of
from agent_runtime.structured_output import Ending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from strands import Agent
    from strands.types.content import Messages
    from strands.types.exceptions import StructuredOutputException

    from agent_runtime.blueprint import Blueprint
    from agent_runtime.bundle import BundledAgent
    from agent_runtime.conversations import Conversations
    from agent_runtime.providers.source import ModelSource
    from agent_runtime.structured_output import AnswerSchema, StructuredOutput
    from agent_runtime.tools import ToolBox

MAXIMUM_PROMPT_CHARACTERS = 1_000_000

_CUT_AT_MAX_TOKENS = "max_tokens"
_OUT_OF_TURNS = "limit_turns"
_ANSWERED = "end_turn"


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
        if not _is_unicode(text):
            raise BadRequestError('"prompt" holds half of a surrogate pair, which is no character.')
        if stream is not None and not isinstance(stream, bool):
            raise BadRequestError('"stream" must be true or false.')
        return cls(text=text, stream=stream)


@dataclass(slots=True)
class _Run:
    """What Strands tells of a run, until its end.

    Attributes:
        stop_reason: Why the run ended.
        said: Text of the message that the model said last, as far as it came.
        structured: The answer as the schema wants it.
        refusal: Why there is no such answer.
    """

    stop_reason: str = ""
    said: str = ""
    structured: object = None
    refusal: StructuredOutputException | None = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the caller gets of a run."""

    stop_reason: str
    content: list[Any]
    structured: Any
    usage: Mapping[str, Any]


class AgentService:
    """The agent of this process, for all of its sessions.

    Args:
        agent: What the bundle says.
        source: Gives the model.
        conversations: The sessions.
        tools: What the agent may use.
        output: What its answers must fit.
        guard: What personal data is kept out by.
    """

    def __init__(
        self,
        agent: BundledAgent,
        source: ModelSource,
        conversations: Conversations,
        *,
        tools: ToolBox | None = None,
        output: StructuredOutput | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._agent = agent
        self._source = source
        self._conversations = conversations
        self._tools = tools
        self._output = output
        self._guard = guard or Guard(None)

    @property
    def blueprint(self) -> Blueprint:
        """What the agent is, for who presents it to callers."""
        return self._agent.blueprint

    @property
    def answer_schema(self) -> AnswerSchema | None:
        """What every answer fits, if the blueprint asks for it."""
        return self._output.schema if self._output else None

    async def events(self, prompt: Prompt, session_id: str) -> AsyncGenerator[dict[str, Any]]:
        """Runs the agent on one prompt.

        Args:
            prompt: What the caller asks.
            session_id: The conversation that it belongs to.

        Yields:
            `{"event": ...}` for each Converse stream event as Strands emits them, and last the answer
            (see `_answer`).

        Raises:
            StrandlineError: The agent cannot answer; the conversation is as it was before.
        """
        started = time.perf_counter()
        told = ModelAnswers()
        model_answers.set(told)
        run = _Run()
        text = await self._guard.prompt(prompt.text)
        async with self._conversations.turn(session_id) as messages:
            before = list(messages)
            agent = await self._new_agent(messages)
            async with aclosing(self._guard.events(self._happenings(agent, text, run))) as happenings:
                async for happening in happenings:
                    yield {"event": _plain(happening)}
            outcome = await self._guarded(self._outcome(agent, run))
            if outcome.stop_reason in STOPPED:
                # It ends at a call of a tool or in a sentence, where no provider lets a conversation go on.
                messages[:] = before
        yield self._answer(outcome, told, session_id, started)

    async def _guarded(self, outcome: _Outcome) -> _Outcome:
        content, structured = await self._guard.value(outcome.content), await self._guard.value(outcome.structured)
        if self._output:
            content = _json_text(structured)
        return replace(outcome, content=content, structured=structured)

    async def _happenings(self, agent: Agent, text: str, run: _Run) -> AsyncGenerator[Any]:
        """Runs the agent, gives its stream events and notes how it ends."""
        from strands.types.agent import Limits
        from strands.types.exceptions import MaxTokensReachedException, StructuredOutputException

        runtime = self._agent.blueprint.runtime
        limits = Limits(turns=runtime.max_iterations)
        model = self._output.model if self._output else None
        stream = agent.stream_async(text, limits=limits, structured_output_model=model)
        try:
            async with aclosing(cast("AsyncGenerator[Any]", stream)) as happenings:
                async for happening in within(happenings, runtime.max_execution_time):
                    if "event" in happening:
                        run.said = _said(happening["event"], run.said)
                        yield happening["event"]
                    if "result" in happening:
                        run.stop_reason = happening["result"].stop_reason
                        run.structured = happening["result"].structured_output
        except MaxTokensReachedException:
            # Strands calls it a failure; its caller has a text that ends early, and is told so.
            run.stop_reason = _CUT_AT_MAX_TOKENS
        except StructuredOutputException as error:
            run.refusal = error
        except OutOfTimeError:
            run.stop_reason = MAX_EXECUTION_TIME

    async def _new_agent(self, messages: Messages) -> Agent:
        from strands import Agent

        agent = Agent(
            model=await self._source.current(),
            tools=[*await self._tools.tools()] if self._tools else None,
            messages=messages,
            system_prompt=system_prompt_of(self._agent.blueprint, self._agent.prompt),
            callback_handler=None,
            # The clients retry, and hear the endpoint's Retry-After; Strands would sleep for two minutes on top.
            retry_strategy=None,
            name=self._agent.blueprint.name,
            agent_id=self._agent.blueprint.id,
            trace_attributes=self._agent.blueprint.observability.trace_attributes,
        )
        for equipment in (self._tools, self._output):
            if equipment:
                equipment.attach(agent)
        return agent

    def _outcome(self, agent: Agent, run: _Run) -> _Outcome:
        last, stop_reason = agent.messages[-1], run.stop_reason
        usage = agent.event_loop_metrics.accumulated_usage
        if self._output:
            structured = self._output.result(agent, run.structured, Ending(stop_reason, run.refusal))
            # To who reads texts only, the answer is its JSON; the model's call of a tool is no answer.
            return _Outcome(_ANSWERED, _json_text(structured), structured, usage)
        if stop_reason in (_OUT_OF_TURNS, MAX_EXECUTION_TIME):
            content = [{"text": run.said}] if run.said else []
            return _Outcome(MAX_ITERATIONS if stop_reason == _OUT_OF_TURNS else stop_reason, content, None, usage)
        if last["role"] != "assistant" or not last["content"]:
            raise NoAnswerError(f"The model ended without an answer ({stop_reason or 'it gave no reason'}).")
        return _Outcome(stop_reason, _plain(last["content"]), None, usage)

    def _answer(self, outcome: _Outcome, told: ModelAnswers, session_id: str, started: float) -> dict[str, Any]:
        # Strands counts nothing as zero; an answer without any token does not exist.
        known = bool(outcome.usage["totalTokens"])
        members = {
            **{"input_tokens": "inputTokens", "output_tokens": "outputTokens", "total_tokens": "totalTokens"},
            **{"cache_read_tokens": "cacheReadInputTokens", "cache_write_tokens": "cacheWriteInputTokens"},
        }
        return {
            "result": {"role": "assistant", "content": outcome.content},
            "stop_reason": outcome.stop_reason,
            "structured": outcome.structured,
            "schema": self._output.told if self._output else None,
            "agent": self._agent.blueprint.id,
            "version": self._agent.blueprint.version,
            "bundle": self._agent.sha256,
            "session_id": session_id,
            "model": {"requested": self._agent.blueprint.model.model_id, "answered": told.model},
            "usage": {name: outcome.usage.get(member) if known else None for name, member in members.items()},
            "cost_usd": told.cost_usd,
            "latency_ms": round((time.perf_counter() - started) * 1000, 1),
        }


def _json_text(structured: Any) -> list[Any]:
    return [{"text": json.dumps(structured, ensure_ascii=False)}]


def _said(event: Any, said: str) -> str:
    """The text of the message that is being said, with this event's part of it."""
    if "messageStart" in event:
        return ""
    return said + str(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    """Makes Strands' content fit for JSON: bytes, such as those of redacted reasoning, become base64."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
