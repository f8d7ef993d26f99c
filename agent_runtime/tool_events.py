"""Tells the caller when a tool begins and when it ends, at the moment when it does."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from agent_runtime.events import TOOL_END, TOOL_START

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection

    from strands import Agent
    from strands.middleware.stages import ExecuteToolContext
    from strands.types.events import TypedEvent


def attach_tool_events(agent: Agent, hidden: Collection[str]) -> None:
    """Puts events of tools into what an agent streams: `{"tool_start": {...}}` and `{"tool_end": {...}}`.

    Args:
        agent: The agent.
        hidden: Tools that are none to the caller, such as the one by which the model answers.
    """
    from strands.middleware.stages import ExecuteToolStage
    from strands.types.events import ToolResultEvent, TypedEvent

    async def told(
        context: ExecuteToolContext, run: Callable[[ExecuteToolContext], AsyncGenerator[TypedEvent]]
    ) -> AsyncGenerator[TypedEvent]:
        use = context.tool_use
        about = {"id": use["toolUseId"], "name": use["name"]}
        visible = use["name"] not in hidden
        if visible:
            yield TypedEvent({TOOL_START: {**about, "input": use["input"]}})
        started, status = time.perf_counter(), "error"
        async with aclosing(run(context)) as events:
            async for event in events:
                if isinstance(event, ToolResultEvent):
                    status = event.tool_result["status"]
                yield event
        if visible:
            latency = round((time.perf_counter() - started) * 1000, 1)
            yield TypedEvent({TOOL_END: {**about, "status": status, "latency_ms": latency}})

    agent.add_middleware(ExecuteToolStage.Wrap, cast("Any", told))
