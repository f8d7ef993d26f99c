"""One invocation: one turn of one session, from the caller's prompt to the agent's events and its answer."""

from __future__ import annotations

import json
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent_runtime import events
from agent_runtime.agent_run import AgentRun
from agent_runtime.fresh_randomness import take_fresh_randomness
from agent_runtime.guarded_events import Guard
from agent_runtime.inputs import Prompt
from agent_runtime.limits import STOPPED
from agent_runtime.model_answers import ModelAnswers, model_answers
from agent_runtime.providers import system_prompt_of
from agent_runtime.telemetry import metrics
from agent_runtime.telemetry.observer import observed
from agent_runtime.tool_events import attach_tool_events

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from strands import Agent
    from strands.types.content import Messages

    from agent_runtime.agent_run import Outcome
    from agent_runtime.blueprint import Blueprint
    from agent_runtime.bundle import BundledAgent
    from agent_runtime.conversations import Conversations
    from agent_runtime.providers.source import ModelSource
    from agent_runtime.secret_store import SecretStore
    from agent_runtime.structured_output import AnswerSchema, StructuredOutput
    from agent_runtime.telemetry.tracing import Tracing
    from agent_runtime.tools import ToolBox

__all__ = ["AgentService", "Prompt"]


class AgentService:
    """The agent of this process, for all of its sessions.

    Args:
        agent: What the bundle says.
        source: Gives the model.
        conversations: The sessions.
        tools: What the agent may use.
        output: What its answers must fit.
        guard: What personal data is kept out by.
        secrets: The secrets that it uses, to tell of their versions.
        tracing: Where its traces go.
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
        secrets: SecretStore | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._agent = agent
        self._source = source
        self._conversations = conversations
        self._tools = tools
        self._output = output
        self._guard = guard or Guard(None)
        self._secrets = secrets
        self._tracing = tracing

    @property
    def blueprint(self) -> Blueprint:
        """What the agent is, for who presents it to callers."""
        return self._agent.blueprint

    @property
    def answer_schema(self) -> AnswerSchema | None:
        """What every answer fits, if the blueprint asks for it."""
        return self._output.schema if self._output else None

    def details(self) -> dict[str, Any]:
        """Tells what runs here: the agent, its bundle, and which version of each secret is in use, never a value."""
        return {
            "agent": self._agent.blueprint.id,
            "version": self._agent.blueprint.version,
            "bundle": self._agent.sha256,
            "secrets": self._secrets.versions() if self._secrets else {},
        }

    async def probe(self) -> dict[str, Any]:
        """Reads every secret that requests will ask for, and calls no model: what a new version must be able to.

        Returns:
            An event that tells what runs here.

        Raises:
            SecretError: A secret cannot be read, or cannot be what it is used for.
        """
        if self._secrets:
            await self._secrets.get_registered()
        return events.typed(events.PROBE, **self.details())

    async def events(
        self, prompt: Prompt, session_id: str, *, user_id: str | None = None, context_id: str | None = None
    ) -> AsyncGenerator[dict[str, Any]]:
        """Runs the agent on one prompt.

        Args:
            prompt: What the caller asks.
            session_id: AgentCore's session; it is the conversation, unless that is named.
            user_id: Whom the caller names as its user; for traces only, as nobody has proved it.
            context_id: The conversation, where a session has several.

        Yields:
            The events of `agent_runtime.events`, the answer last (see `_answer`).

        Raises:
            StrandlineError: The agent cannot answer; the conversation is as it was before.
        """
        take_fresh_randomness()
        told = ModelAnswers()
        model_answers.set(told)
        with observed(told, session_id, self._tracing) as observation, self._versions_noted():
            asked = await self._guard.messages(prompt.messages)
            conversation = f"{session_id}/{context_id}" if context_id else session_id
            async with self._conversations.turn(conversation) as messages:
                before = list(messages)
                if prompt.tells_conversation:
                    messages.clear()
                agent = await self._new_agent(messages, session_id, user_id)
                run = AgentRun(agent, self._agent.blueprint.runtime, self._output)
                async with aclosing(self._guard.events(run.happenings(asked))) as happenings:
                    async for happening in happenings:
                        observation.note_event(happening)
                        yield _event(happening, run)
                outcome = await self._guarded(run.outcome())
                if outcome.stop_reason in STOPPED:
                    # It ends at a call of a tool or in a sentence, where no provider lets a conversation go on.
                    messages[:] = before
            if self._output:
                yield events.typed(events.STRUCTURED, structured=outcome.structured, schema=self._output.told)
            yield self._answer(outcome, told, session_id, observation.elapsed_ms)

    @contextmanager
    def _versions_noted(self) -> Iterator[None]:
        """Tells in the invocation's line which version of each secret it used; a rotation finds out by it."""
        try:
            yield
        finally:
            for variable, version in (self._secrets.versions() if self._secrets else {}).items():
                metrics.note(f"secret_{variable}", version)

    async def _guarded(self, outcome: Outcome) -> Outcome:
        content, structured = await self._guard.value(outcome.content), await self._guard.value(outcome.structured)
        if self._output:
            # To who reads texts only, the answer is its JSON; the model's call of a tool is no answer.
            content = [{"text": json.dumps(structured, ensure_ascii=False)}]
        return replace(outcome, content=content, structured=structured)

    async def _new_agent(self, messages: Messages, session_id: str, user_id: str | None) -> Agent:
        from strands import Agent

        caller = {"session.id": session_id, **({"user.id": user_id} if user_id else {})}
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
            trace_attributes={**self._agent.blueprint.observability.trace_attributes, **caller},
        )
        for equipment in (self._tools, self._output, self._guard):
            if equipment:
                equipment.attach(agent)
        attach_tool_events(agent, hidden={self._output.schema.name} if self._output else ())
        return agent

    def _answer(self, outcome: Outcome, told: ModelAnswers, session_id: str, elapsed_ms: float) -> dict[str, Any]:
        return events.typed(events.DONE) | {
            "result": {"role": "assistant", "content": outcome.content},
            "stop_reason": outcome.stop_reason,
            "structured": outcome.structured,
            "schema": self._output.told if self._output else None,
            "agent": self._agent.blueprint.id,
            "version": self._agent.blueprint.version,
            "bundle": self._agent.sha256,
            "session_id": session_id,
            **told.as_members(self._agent.blueprint.model.model_id),
            "usage": events.tokens(outcome.usage),
            "latency_ms": round(elapsed_ms, 1),
        }


def _event(happening: dict[str, Any], run: AgentRun) -> dict[str, Any]:
    for kind in (events.TOOL_START, events.TOOL_END):
        if kind in happening:
            return events.typed(kind, tool=happening[kind])
    return events.converse(happening, run.used)
