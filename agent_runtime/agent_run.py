"""One run of an agent: its stream, held to the blueprint's limits, and how it ended."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agent_runtime.events import TOOL_END, TOOL_START, plain
from agent_runtime.failures import NoAnswerError
from agent_runtime.limits import MAX_EXECUTION_TIME, MAX_ITERATIONS, OutOfTimeError, within
from agent_runtime.structured_output import Ending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from strands import Agent
    from strands.types.content import Messages
    from strands.types.exceptions import StructuredOutputException

    from agent_runtime.blueprint import Runtime
    from agent_runtime.structured_output import StructuredOutput

_CUT_AT_MAX_TOKENS = "max_tokens"
_OUT_OF_TURNS = "limit_turns"
_ANSWERED = "end_turn"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller gets of a run.

    Attributes:
        stop_reason: Why it ended.
        content: Content blocks of the answer; empty where the structured answer is the answer.
        structured: The answer as the schema wants it.
        usage: Tokens of all calls of the model, as Converse counts them.
    """

    stop_reason: str
    content: list[Any]
    structured: Any
    usage: Mapping[str, Any]


class AgentRun:
    """One run, from its question to its outcome.

    Args:
        agent: The agent, with the conversation so far.
        runtime: Its limits.
        output: What its answer must fit.

    Attributes:
        used: Tokens of the model's calls so far, as Converse counts them.
    """

    def __init__(self, agent: Agent, runtime: Runtime, output: StructuredOutput | None) -> None:
        self.used: dict[str, int] = {}
        self._agent = agent
        self._runtime = runtime
        self._output = output
        self._stop_reason = ""
        self._said = ""
        self._structured: object = None
        self._refusal: StructuredOutputException | None = None

    async def happenings(self, messages: Messages) -> AsyncGenerator[dict[str, Any]]:
        """Runs the agent and notes how it ends.

        Args:
            messages: What is new in the conversation; the question last.

        Yields:
            Converse stream events, and those of `agent_runtime.tool_events`.
        """
        from strands.types.agent import Limits
        from strands.types.exceptions import MaxTokensReachedException, StructuredOutputException

        limits = Limits(turns=self._runtime.max_iterations)
        model = self._output.model if self._output else None
        stream = self._agent.stream_async(messages, limits=limits, structured_output_model=model)
        try:
            async with aclosing(cast("AsyncGenerator[Any]", stream)) as events:
                async for event in within(events, self._runtime.max_execution_time):
                    if "event" in event:
                        self._note(event["event"])
                        yield event["event"]
                    elif TOOL_START in event or TOOL_END in event:
                        yield event
                    elif "result" in event:
                        self._stop_reason = event["result"].stop_reason
                        self._structured = event["result"].structured_output
        except MaxTokensReachedException:
            # Strands calls it a failure; its caller has a text that ends early, and is told so.
            self._stop_reason = _CUT_AT_MAX_TOKENS
        except StructuredOutputException as error:
            self._refusal = error
        except OutOfTimeError:
            self._stop_reason = MAX_EXECUTION_TIME

    def outcome(self) -> Outcome:
        """Gives what the caller gets; for a run that has ended.

        Raises:
            NoAnswerError: The agent ended without an answer.
            StructuredOutputError: It ended without one that fits.
        """
        last, stop_reason = self._agent.messages[-1], self._stop_reason
        usage = self._agent.event_loop_metrics.accumulated_usage
        if self._output:
            structured = self._output.result(self._agent, self._structured, Ending(stop_reason, self._refusal))
            return Outcome(_ANSWERED, [], structured, usage)
        if stop_reason in (_OUT_OF_TURNS, MAX_EXECUTION_TIME):
            content = [{"text": self._said}] if self._said else []
            return Outcome(MAX_ITERATIONS if stop_reason == _OUT_OF_TURNS else stop_reason, content, None, usage)
        if last["role"] != "assistant" or not last["content"]:
            raise NoAnswerError(f"The model ended without an answer ({stop_reason or 'it gave no reason'}).")
        return Outcome(stop_reason, plain(last["content"]), None, usage)

    def _note(self, event: Mapping[str, Any]) -> None:
        if "messageStart" in event:
            self._said = ""
        self._said += str(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""))
        for name, count in event.get("metadata", {}).get("usage", {}).items():
            self.used[name] = self.used.get(name, 0) + (count or 0)
