"""The limits of one invocation: when they are reached the agent is stopped, and the answer says which it was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

MAX_ITERATIONS = "max_iterations"
MAX_EXECUTION_TIME = "max_execution_time"

STOPPED = (MAX_ITERATIONS, MAX_EXECUTION_TIME)
"""Stop reasons of an agent that was stopped before its end, named like the blueprint's fields."""

Event = TypeVar("Event")


class OutOfTimeError(Exception):
    """Raised when a run takes longer than the blueprint allows."""


async def within(events: AsyncGenerator[Event], seconds: float) -> AsyncGenerator[Event]:
    """Ends a run that takes too long, wherever it is waiting.

    Args:
        events: The run.
        seconds: How long it may take, in all.

    Yields:
        The run's events.

    Raises:
        OutOfTimeError: The time is up; the run was cancelled.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        # Around each step, not around the whole: while this waits at `yield`, a cancellation would hit the caller.
        try:
            async with asyncio.timeout_at(deadline) as bound:
                event = await anext(events)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if bound.expired():
                raise OutOfTimeError from None
            raise
        yield event
