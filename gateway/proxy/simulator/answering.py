"""What is answered to a call of a model: by the agent's scenario, or by what is offered and asked for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.proxy.simulator.scenario import Pace, Rule, ScriptedCall
from gateway.proxy.simulator.schema_values import NoValueError, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gateway.proxy.simulator.model_request import ModelRequest, OfferedTool
    from gateway.proxy.simulator.scenario import Fault, Scenario

_CHARACTERS_OF_A_TOKEN = 4
_LONGEST_QUOTE = 200
_SHORTEST_WORD = 4


class UnanswerableError(Exception):
    """A call that the simulator can make no valid answer for; the text says how to mend it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that is called.

    Attributes:
        id: Id of the call.
        name: The tool.
        arguments: Its arguments as JSON.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        text: Its text; nothing when tools are called without a word.
        calls: The tools that it calls.
        finish_reason: Why it ends, in OpenAI's words.
        prompt_tokens: Tokens of the question.
        completion_tokens: Tokens of the answer.
        cost_usd: Cost in US dollars, where the scenario tells it.
        pace: How fast it comes.
        fault: What goes wrong while it is given.
    """

    text: str | None
    calls: tuple[Call, ...]
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None = None
    pace: Pace = field(default_factory=Pace)
    fault: Fault | None = None

    @property
    def pieces(self) -> list[str]:
        """The text in the pieces that it is streamed in."""
        if not self.text:
            return []
        if self.pace.characters is None:
            return re.findall(r"\s*\S+\s*$|\s*\S+|\s+$", self.text)
        size = self.pace.characters
        return [self.text[start : start + size] for start in range(0, len(self.text), size)]


def rules_for(request: ModelRequest, scenario: Scenario | None) -> Iterator[tuple[int, Rule]]:
    """Gives the rules that hold for a call, in their order.

    Args:
        request: The call.
        scenario: The agent's scenario, if it has one.

    Yields:
        Each with its index.
    """
    for index, rule in enumerate(scenario.rules if scenario else ()):
        if rule.holds(request):
            yield index, rule


def reply_to(request: ModelRequest, rule: Rule | None) -> Reply:
    """Makes the answer to a call.

    Args:
        request: The call.
        rule: The rule that holds; nothing where no scenario says anything.

    Returns:
        The answer; the same for the same call.

    Raises:
        UnanswerableError: A schema is asked for for which no value could be made.
    """
    rule = rule or Rule()
    if rule.tool_calls:
        return _reply(request, rule, rule.text, _scripted(request, rule.tool_calls))
    if rule.text is not None:
        return _reply(request, rule, rule.text)
    if rule.structured is None and not request.must_call and request.schema is None:
        tool = _sensible_tool(request)
        call = _default_call(request, tool) if tool else None
        return _reply(request, rule, None, (call,)) if call else _reply(request, rule, _default_text(request))
    return _structured(request, rule)


def _structured(request: ModelRequest, rule: Rule) -> Reply:
    """An answer that fits the schema that is asked for, be it a format or a tool that has to be called."""
    if request.must_call:
        tool = _sensible_tool(request) or next(iter(request.tools), None)
        if tool is None:
            raise UnanswerableError("tool_choice asks for a tool that is not among the tools")
        arguments = _overlaid(tool.schema, tool.name, rule)
        return _reply(request, rule, None, (_call(request, 0, tool.name, arguments),))
    value = _overlaid(request.schema if request.schema is not None else {"type": "object"}, "answer", rule)
    return _reply(request, rule, json.dumps(value, ensure_ascii=False))


def _overlaid(schema: Any, name: str, rule: Rule) -> Any:
    given = dict(rule.structured or {})
    if given and set(given) >= set(schema.get("required", ()) if isinstance(schema, dict) else ()):
        # Complete as it is, and the author's word.
        return given
    try:
        value = value_of(schema, name)
    except NoValueError as fault:
        raise UnanswerableError(f"the schema of {name}: {fault}; write `structured` in a scenario") from None
    return {**value, **given} if isinstance(value, dict) else value


def _scripted(request: ModelRequest, calls: Sequence[ScriptedCall]) -> tuple[Call, ...]:
    schemas = {tool.name: tool.schema for tool in request.tools}
    return tuple(
        _call(
            request,
            index,
            call.name,
            call.arguments
            if call.arguments is not None
            else _overlaid(schemas.get(call.name, True), call.name, Rule()),
        )
        for index, call in enumerate(calls)
    )


def _default_call(request: ModelRequest, tool: OfferedTool) -> Call | None:
    try:
        return _call(request, 0, tool.name, value_of(tool.schema, tool.name))
    except NoValueError:
        return None


def _call(request: ModelRequest, index: int, name: str, arguments: Any) -> Call:
    # A tool without a schema gets no arguments.
    members = arguments if isinstance(arguments, dict) else {}
    return Call(f"call_{request.fingerprint[:22]}{index:02d}", name, json.dumps(members, ensure_ascii=False))


def _sensible_tool(request: ModelRequest) -> OfferedTool | None:
    """The tool that the message is about, the only one there is, or none when one has answered already."""
    if request.tool_results and not request.must_call:
        return None
    answered = {result.tool for result in request.tool_results}
    open_tools = [tool for tool in request.tools if tool.name not in answered]
    if len(open_tools) == 1 and len(request.tools) == 1:
        return open_tools[0]
    wanted = _words([request.message])
    shared = [len(wanted & _words([tool.name, tool.description])) for tool in open_tools]
    return open_tools[shared.index(max(shared))] if any(shared) else None


def _words(texts: Iterable[str]) -> set[str]:
    found = re.findall(r"[^\W_]+", " ".join(texts).casefold())
    return {word for word in found if len(word) >= _SHORTEST_WORD}


def _default_text(request: ModelRequest) -> str:
    if request.tool_results:
        last = request.tool_results[-1]
        return f"Simulated answer of {request.model}. {last.tool or 'The tool'} says: {_quote(last.text)}"
    return f"Simulated answer of {request.model} to: {_quote(request.message)}"


def _quote(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def _reply(request: ModelRequest, rule: Rule, text: str | None, calls: tuple[Call, ...] = ()) -> Reply:
    written = len(text or "") + sum(len(call.name) + len(call.arguments) for call in calls)
    tokens = rule.completion_tokens or max(1, -(-written // _CHARACTERS_OF_A_TOKEN))
    finish_reason = "tool_calls" if calls else "stop"
    if request.longest is not None and tokens > request.longest and rule.completion_tokens is None:
        tokens = request.longest
        if text and not calls:
            text, finish_reason = text[: request.longest * _CHARACTERS_OF_A_TOKEN], "length"
    return Reply(
        text=text,
        calls=calls,
        finish_reason=finish_reason,
        prompt_tokens=rule.prompt_tokens or max(1, -(-request.size // _CHARACTERS_OF_A_TOKEN)),
        completion_tokens=tokens,
        cost_usd=rule.cost_usd,
        pace=rule.pace,
        fault=rule.fault,
    )
