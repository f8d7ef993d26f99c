"""The parts of an answer, for protocols that have a place of their own for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.limits import STOPPED

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER = "strandline/answer"
"""Key of an answer's metadata: who answered, with what usage, at what cost."""
ERROR = "strandline/error"
"""Key of a failure's metadata: its type, message and id."""

_NO_FACTS = ("result", "structured", "type", "v")


def text_of(answer: Mapping[str, Any]) -> list[str]:
    """Gives the texts of an answer.

    Args:
        answer: The last event of `AgentService.events`.

    Returns:
        The texts; for an agent that was stopped at a limit also which it was, since a caller that reads texts only
        would take the rest for the whole.
    """
    texts = [block["text"] for block in answer["result"]["content"] if block.get("text")]
    if answer["stop_reason"] in STOPPED:
        texts.append(f"(The agent was stopped at its {answer['stop_reason']}; the answer is not complete.)")
    return texts


def facts_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Gives all that is known of an answer but its content.

    Args:
        answer: The last event of `AgentService.events`.

    Returns:
        The other members, named as over HTTP.
    """
    return {name: value for name, value in answer.items() if name not in _NO_FACTS}


def whole_characters(value: Any) -> Any:
    """Joins the halves of characters that a model broke in two, as JSON's escapes allow it.

    Args:
        value: JSON.

    Returns:
        The same with texts that can be encoded; half a character without its other half becomes a question mark.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {whole_characters(name): whole_characters(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole_characters(member) for member in value]
    return value
