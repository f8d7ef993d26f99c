"""What a scenario says: `blueprints/scenarios/<agent>.yaml`, typed and strict.

rules:
  - when: {message: {contains: tide}}
    tool_calls: [{name: tide_table, arguments: {harbour: Lisbon}}]
  - when: {tool_result: {tool: tide_table}}
    text: High water is at 06:12.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from agent_runtime.rules import Text, Token
from agent_runtime.strict import Fault, Rules, StrictModel, broken_rule

_LONGEST_EXPRESSION = 1000


def _check_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise broken_rule(f"is no regular expression: {error.msg}", "write one that Python's re module reads") from None
    return text


Expression = Annotated[Text, Field(min_length=1, max_length=_LONGEST_EXPRESSION), AfterValidator(_check_expression)]
Seconds = Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1, le=10_000_000)]


def _empty_match(match: TextMatch) -> Iterator[Fault]:
    if all(value is None for _, value in match):
        yield Fault("says nothing", "say what the text is like: contains, equals or matches")


def _fault_fields(fault: ProviderFault) -> Iterator[Fault]:
    homes = {"retry_after_seconds": "rate_limit", "after_seconds": "timeout", "after_pieces": "cut_stream"}
    for name, home in homes.items():
        if getattr(fault, name) is not None and fault.type != home:
            yield Fault(f"{name} belongs to {home}, not to {fault.type}", f"remove {name}", (name,))


def _answer_faults(rule: Rule) -> Iterator[Fault]:
    answers = [name for name in ("text", "tool_calls", "structured") if name in rule.model_fields_set]
    if not answers and not rule.fault:
        yield Fault("answers nothing", "add text, tool_calls, structured or fault")
    if "structured" in answers and len(answers) > 1:
        yield Fault("structured is an answer of its own", "remove text and tool_calls", ("structured",))
    if rule.fault is None:
        return
    kind = rule.fault.type
    if kind == "cut_stream" and rule.text is None:
        yield Fault("cut_stream cuts a text, and there is none", "add text", ("fault", "type"))
    if kind in ("rate_limit", "server_error", "timeout") and answers:
        yield Fault(f"{answers[0]} is never sent after a {kind}", f"remove {answers[0]}", (answers[0],))
    if kind == "tier_fallback" and not answers:
        message = "tier_fallback needs the answer of the model that is fallen back to"
        yield Fault(message, "add text, tool_calls or structured", ("fault", "type"))


def _unreachable_rules(scenario: Scenario) -> Iterator[Fault]:
    for index, rule in enumerate(scenario.rules[:-1]):
        if rule.when == When() and not rule.tool_calls and not (rule.fault and rule.fault.times):
            message = f"rule {index + 1} holds always, so the rules after it never do"
            yield Fault(message, "give it a `when`, or move it to the end", ("rules", index))
            return


class TextMatch(StrictModel):
    """What a text has to be like; all that is given has to hold."""

    RULES: ClassVar[Rules] = (_empty_match,)

    equals: Text | None = Field(default=None, description="The whole text.", examples=["Hello"])
    contains: Annotated[Text, Field(min_length=1)] | None = Field(
        default=None, description="A part of the text, in capitals or not.", examples=["tide"]
    )
    matches: Expression | None = Field(
        default=None, description="A regular expression that is found in the text.", examples=["[0-9]{2}:[0-9]{2}"]
    )


class ToolResult(TextMatch):
    """Which tool has answered, and what."""

    tool: Token | None = Field(default=None, description="Name of the tool; any where none is named.")


class When(StrictModel):
    """When a rule holds; all that is given has to hold."""

    message: TextMatch | None = Field(
        default=None, description="What the user's last message is like.", examples=["{contains: tide}"]
    )
    tool_result: ToolResult | None = Field(
        default=None,
        description="What a tool has answered since then.",
        examples=["{tool: tide_table, contains: '06:12'}"],
    )
    turn: int | None = Field(
        default=None, ge=1, le=1000, description="Which of the user's messages it is, from 1.", examples=[2]
    )


class ToolCall(StrictModel):
    """A tool that the model calls."""

    name: Token = Field(description="Name of the tool.", examples=["tide_table"])
    arguments: Mapping[str, Any] | None = Field(
        default=None, description="Its arguments. Left out, they are made from the tool's schema."
    )


class Pace(StrictModel):
    """How fast an answer comes."""

    first_seconds: Seconds = Field(default=0.0, description="Silence before the first piece.")
    interval_seconds: Seconds = Field(default=0.0, description="Silence between two pieces.")
    characters: int | None = Field(
        default=None, ge=1, le=100_000, description="Characters of a piece. Left out: a word."
    )


class Usage(StrictModel):
    """Tokens that are counted."""

    prompt_tokens: Tokens | None = Field(default=None, description="Of the question. Left out, they are counted.")
    completion_tokens: Tokens | None = Field(default=None, description="Of the answer. Left out, they are counted.")


class ProviderFault(StrictModel):
    """What goes wrong."""

    RULES: ClassVar[Rules] = (_fault_fields,)

    type: Literal["rate_limit", "server_error", "timeout", "cut_stream", "tier_fallback"] = Field(
        description="rate_limit: 429. server_error: 500. timeout: silence, then 408. cut_stream: the text breaks off. "
        "tier_fallback: the agent's model fails, and the one that the gateway falls back to gives this rule's answer.",
        examples=["rate_limit"],
    )
    retry_after_seconds: int | None = Field(
        default=None, ge=0, le=3600, description="The header Retry-After, for rate_limit."
    )
    after_seconds: Seconds | None = Field(
        default=None, description="How long the silence lasts, for timeout; never longer than the model's own timeout."
    )
    after_pieces: int | None = Field(
        default=None, ge=0, le=100_000, description="How many pieces of the text still come, for cut_stream."
    )
    times: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="How often in a row it goes wrong for the same conversation; then the following rules hold once. "
        "Left out: always.",
    )


class Rule(StrictModel):
    """What is answered when."""

    RULES: ClassVar[Rules] = (_answer_faults,)

    when: When = Field(default=When(), description="When the rule holds. Left out: always.")
    text: Text | None = Field(default=None, description="The answer's text.", examples=["High water is at 06:12."])
    tool_calls: Annotated[tuple[ToolCall, ...], Field(strict=False, max_length=20)] = Field(
        default=(),
        description="Tools that the model calls. Such a rule holds until a tool has answered, if `when` says nothing "
        "of tool results.",
    )
    structured: Mapping[str, Any] | None = Field(
        default=None,
        description="An answer that fits the schema that the agent asks for, with these members laid over it; {} for "
        "one that is made from the schema alone.",
    )
    fault: ProviderFault | None = Field(default=None, description="What goes wrong.", examples=["{type: server_error}"])
    pace: Pace = Field(default=Pace(), description="How fast the answer comes.")
    usage: Usage = Field(default=Usage(), description="Tokens that are counted.")
    cost_usd: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None = Field(
        default=None, description="What the answer costs. Left out: by the price of the model that is simulated."
    )


class Scenario(StrictModel):
    """The whole of one agent's scenario."""

    RULES: ClassVar[Rules] = (_unreachable_rules,)

    rules: Annotated[tuple[Rule, ...], Field(strict=False, min_length=1, max_length=1000)] = Field(
        description="The first rule that holds answers. Where none does, the simulator answers by what it is asked.",
        examples=["[{text: Hello.}]"],
    )
