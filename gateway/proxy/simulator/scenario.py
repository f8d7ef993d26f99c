"""An agent's scenario, as it lies beside the proxy's configuration: checked and completed when it was compiled."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.proxy.simulator.model_request import ModelRequest

FORMAT = 1

FaultType = Literal["rate_limit", "server_error", "timeout", "cut_stream", "tier_fallback"]


@dataclass(frozen=True, slots=True)
class TextMatch:
    """What a text has to be like.

    Attributes:
        equals: The whole text.
        contains: A part of it, in any case.
        matches: A regular expression found in it.
    """

    equals: str | None = None
    contains: str | None = None
    matches: str | None = None

    def fits(self, text: str) -> bool:
        """Tells whether a text is like that."""
        return (
            (self.equals is None or text.strip() == self.equals.strip())
            and (self.contains is None or self.contains.casefold() in text.casefold())
            and (self.matches is None or re.search(self.matches, text) is not None)
        )


@dataclass(frozen=True, slots=True)
class When:
    """When a rule holds.

    Attributes:
        message: What the user's last message is like.
        tool: Tool that has answered since then.
        tool_text: What its last answer is like.
        turn: Which of the user's messages it is, from 1.
    """

    message: TextMatch | None = None
    tool: str | None = None
    tool_text: TextMatch | None = None
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """A tool that the model calls.

    Attributes:
        name: The tool.
        arguments: Its arguments; made from the tool's schema where the author gave none.
    """

    name: str
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong.

    Attributes:
        type: What.
        retry_after_seconds: What a refusal for the rate says of it.
        after_seconds: How long the silence before a timeout is.
        after_pieces: How many pieces come before a stream is cut.
        times: How often in a row it goes wrong for one conversation before the rule is passed over once; always
            where it is not told.
    """

    type: FaultType
    retry_after_seconds: int | None = None
    after_seconds: float = 0.0
    after_pieces: int = 1
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an answer comes.

    Attributes:
        first_seconds: Silence before the first piece.
        interval_seconds: Silence between two pieces.
        characters: Characters of a piece; a word where it is not told.
    """

    first_seconds: float = 0.0
    interval_seconds: float = 0.0
    characters: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What is answered when.

    Attributes:
        when: When.
        text: A text.
        tool_calls: Tools that are called.
        structured: Members laid over an answer made from the requested schema.
        fault: What goes wrong.
        pace: How fast the answer comes.
        prompt_tokens: Tokens of the question, as the usage tells them; counted where it is not told.
        completion_tokens: Tokens of the answer.
        cost_usd: Cost in US dollars; by the model's price where it is not told.
    """

    when: When = field(default_factory=When)
    text: str | None = None
    tool_calls: tuple[ScriptedCall, ...] = ()
    structured: Mapping[str, Any] | None = None
    fault: Fault | None = None
    pace: Pace = field(default_factory=Pace)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None

    def holds(self, request: ModelRequest) -> bool:
        """Tells whether the rule is for a call of the model."""
        when = self.when
        if when.turn not in (None, request.turn) or not (when.message is None or when.message.fits(request.message)):
            return False
        if when.tool is None and when.tool_text is None:
            # Without this a model that calls a tool would call it again for ever.
            return not (self.tool_calls and request.tool_results)
        texts = [result.text for result in request.tool_results if when.tool in (None, result.tool)]
        return bool(texts) and (when.tool_text is None or when.tool_text.fits(texts[-1]))


@dataclass(frozen=True, slots=True)
class Scenario:
    """What an agent's model answers.

    Attributes:
        agent: Id of the agent.
        model: The model that the agent asks for.
        rules: The rules; the first that holds answers.
    """

    agent: str
    model: str
    rules: tuple[Rule, ...]


def read_scenarios(folder: Path) -> dict[str, Scenario]:
    """Reads compiled scenarios.

    Args:
        folder: Where they lie; there may be no such folder.

    Returns:
        The scenarios by agent.

    Raises:
        ValueError: One was compiled for another version of the simulator.
    """
    found = [_read(path) for path in sorted(folder.glob("*.json"))]
    return {scenario.agent: scenario for scenario in found}


def _read(path: Path) -> Scenario:
    document = json.loads(path.read_bytes())
    if document.get("format") != FORMAT:
        raise ValueError(f"{path.name} has format {document.get('format')}, the simulator reads {FORMAT}")
    return Scenario(document["agent"], document["model"], tuple(_rule(rule) for rule in document["rules"]))


def _rule(document: Mapping[str, Any]) -> Rule:
    when = dict(document.get("when", {}))
    for name in ("message", "tool_text"):
        if when.get(name) is not None:
            when[name] = TextMatch(**when[name])
    members = dict(document)
    return Rule(
        **{
            **members,
            "when": When(**when),
            "tool_calls": tuple(ScriptedCall(**call) for call in members.get("tool_calls", ())),
            "fault": Fault(**members["fault"]) if members.get("fault") else None,
            "pace": Pace(**members.get("pace", {})),
        }
    )
