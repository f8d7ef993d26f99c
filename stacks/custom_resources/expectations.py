"""What a check expects of an answer, and what of it an answer does not keep.

A check is what a blueprint says of it, as JSON (`agent_runtime.blueprint_blocks.Check`); its schema stands in place of
the schema's name. No reason quotes an answer: reasons go into CloudFormation's events and reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .json_schema import find_faults
from .personal_data import find_personal_data

if TYPE_CHECKING:
    from .agent_calls import AgentFailed, Answer

Check = Mapping[str, Any]

# Failures by which the agent's own data protection, or its provider's guardrail, refuses.
_REFUSALS = frozenset({"input_blocked", "output_blocked"})
_REFUSING_STOPS = frozenset({"guardrail_intervened", "content_filtered", "refusal"})
_REFUSING_WORDS = re.compile(
    r"\b(?:can(?:'|\u2019)?t|cannot|can not|could(?: not|n(?:'|\u2019)t)|won(?:'|\u2019)t|will not"
    r"|(?:am|'m|\u2019m) (?:not able|not allowed|not permitted)|unable to|(?:must|have to) decline|refuse to)\b",
    re.IGNORECASE,
)


def unmet_by_failure(check: Check, failure: AgentFailed) -> list[str]:
    """Finds what of a check is not kept by an agent that failed.

    Args:
        check: The check.
        failure: How the agent failed.

    Returns:
        Why it fails; nothing where a refusal was expected, and this is one.
    """
    if check.get("refuses") and failure.kind in _REFUSALS:
        return []
    return [f"the agent failed: {failure}"]


def find_unmet(check: Check, answer: Answer) -> list[str]:
    """Finds what of a check is not kept by an answer.

    Args:
        check: The check.
        answer: The answer.

    Returns:
        What is not kept, each in a few words; empty for an answer that passes.
    """
    return [
        reason
        for name, expected in check.items()
        if expected is not None and name in _EXPECTATIONS
        for reason in _EXPECTATIONS[name](expected, answer)
    ]


def said_by(answer: Answer) -> str:
    """Gives all that an answer says as one text: its text, or the JSON of a structured answer."""
    structured = answer.body.get("structured")
    return answer.text if structured is None else f"{answer.text}\n{json.dumps(structured, ensure_ascii=False)}"


def _contains(expected: list[str], answer: Answer) -> Iterator[str]:
    text = said_by(answer).casefold()
    yield from (f"the answer does not hold {part!r}" for part in expected if part.casefold() not in text)


def _regex(expected: str, answer: Answer) -> Iterator[str]:
    if not re.search(expected, said_by(answer)):
        yield f"the answer does not match {expected!r}"


def _output_schema(expected: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    structured = answer.body.get("structured")
    if structured is None:
        yield "the answer is not structured"
    elif "schema" in expected:
        # The handler held the answer to the agent's own schema already; one that is a class can be held to by it only.
        faults = find_faults(structured, expected["schema"])
        yield from (f"the answer does not fit {expected['name']}: {fault}" for fault in faults[:3])


def _tools(expected: list[str], answer: Answer) -> Iterator[str]:
    if list(answer.tools) != expected:
        yield f"the tools called were {_listed(answer.tools)}, expected {_listed(expected)}"


def _max_latency_ms(expected: int, answer: Answer) -> Iterator[str]:
    # The handler's own time: what a new session takes to start is AgentCore's and not the version's.
    took = latency_of(answer)
    if took > expected:
        yield f"the answer took {took:.0f} ms, at most {expected} ms are allowed"


def _max_cost_usd(expected: float, answer: Answer) -> Iterator[str]:
    cost = cost_of(answer)
    if cost is None:
        yield "nobody tells what the answer cost: the model's endpoint is no gateway that knows its price"
    elif cost > expected:
        yield f"the answer cost {cost:.6f} USD, at most {expected} USD are allowed"


def _max_iterations(expected: int, answer: Answer) -> Iterator[str]:
    calls = (answer.body.get("model") or {}).get("calls")
    if calls is None:
        yield "the agent does not tell how often it called its model"
    elif calls > expected:
        yield f"the model was called {calls} times, at most {expected} are allowed"


def _refuses(expected: bool, answer: Answer) -> Iterator[str]:
    refused = answer.body.get("stop_reason") in _REFUSING_STOPS or bool(_REFUSING_WORDS.search(answer.text))
    if refused != expected:
        yield "the agent answers instead of refusing" if expected else "the agent refuses"


def _no_pii(expected: bool, answer: Answer) -> Iterator[str]:
    if expected and (kinds := find_personal_data(said_by(answer))):
        yield f"the answer holds personal data ({', '.join(kinds)})"


def latency_of(answer: Answer) -> float:
    """Gives how long an answer took in milliseconds, without the start of its session where the agent tells."""
    told = answer.body.get("latency_ms")
    return answer.latency_ms if told is None else float(told)


def cost_of(answer: Answer) -> float | None:
    """Gives what an answer cost in US dollars, where somebody tells."""
    told = answer.body.get("cost_usd")
    return None if told is None else float(told)


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"


_EXPECTATIONS: Mapping[str, Callable[[Any, Answer], Iterator[str]]] = {
    "contains": _contains,
    "regex": _regex,
    "output_schema": _output_schema,
    "tools": _tools,
    "max_latency_ms": _max_latency_ms,
    "max_cost_usd": _max_cost_usd,
    "max_iterations": _max_iterations,
    "refuses": _refuses,
    "no_pii": _no_pii,
}
"""By the names of a check's fields; a test holds them to the blueprint's."""
