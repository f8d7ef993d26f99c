"""Data protection of what tools give: filtered as the prompt is, before the model and the conversation have it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from agent_runtime.data_protection import BlockedError, FilterFailedError
from agent_runtime.failures import BadRequestError
from agent_runtime.guarded_messages import protected_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from strands import Agent
    from strands.hooks import AfterToolCallEvent
    from strands.types.tools import ToolResult, ToolResultContent

    from agent_runtime.data_protection import Protection

logger = logging.getLogger(__name__)

# Its result is Strands' own and tells of the model's answer, which the model knows.
_ANSWERING = "structured_output"
_NOT_READ = "An image or a file was left out here: the agent's data protection reads texts only."


def guard_tool_results(agent: Agent, protection: Protection) -> None:
    """Filters what an agent's tools give, also the texts of their failures; what does not pass is told to the model.

    Args:
        agent: The agent.
        protection: The filter.
    """
    from strands.hooks import AfterToolCallEvent

    async def guard(event: AfterToolCallEvent[Any]) -> None:
        if event.selected_tool is None or event.selected_tool.tool_type != _ANSWERING:
            event.result = await _guarded(protection, event.tool_use["name"], event.result)

    agent.hooks.add_callback(AfterToolCallEvent, guard)


async def _guarded(protection: Protection, tool: str, result: ToolResult) -> ToolResult:
    try:
        content = await asyncio.to_thread(_protected, protection.protect_input, result["content"])
    except BlockedError as error:
        said = f"it holds data that may not reach the model: {', '.join(error.entities)}"
    except FilterFailedError:
        said = "the data protection filter failed on it"
    else:
        return cast("ToolResult", {**result, "content": content})
    logger.warning("tool=<%s> | its result does not reach the model: %s", tool, said)
    withheld = [{"text": f"The result of {tool} is withheld: {said}."}]
    return cast("ToolResult", {"toolUseId": result["toolUseId"], "status": "error", "content": withheld})


def _protected(protect: Callable[[str], str], content: list[ToolResultContent]) -> list[ToolResultContent]:
    return [_part(protect, part) for part in content]


def _part(protect: Callable[[str], str], part: ToolResultContent) -> ToolResultContent:
    try:
        return cast("ToolResultContent", protected_block(protect, cast("Any", part)))
    except BadRequestError:
        return {"text": _NOT_READ}
