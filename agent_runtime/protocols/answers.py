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

_CONTENT = ("result", "structured")


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
    return {name: value for name, value in answer.items() if name not in _CONTENT}
