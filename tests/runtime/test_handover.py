"""Items go from one event loop to another: in order, none lost, never more ahead than is allowed."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from agent_runtime.handover import Handover

if TYPE_CHECKING:
    from collections.abc import Iterator

AHEAD = 3
MANY = 5_000


@pytest.fixture(name="other_loop")
def _other_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_every_item_arrives_in_order_on_another_loop(other_loop: asyncio.AbstractEventLoop) -> None:
    """The loops race for each item; one that wakes nobody would hang here."""
    handover: Handover[int] = Handover(AHEAD)

    async def put_all() -> None:
        for number in range(MANY):
            await handover.put(number)

    async def take_all() -> list[int]:
        taken: list[int] = []
        while len(taken) < MANY:
            batch = await handover.take()
            assert 0 < len(batch) <= AHEAD
            taken += batch
        return taken

    putting = asyncio.run_coroutine_threadsafe(put_all(), other_loop)
    assert asyncio.run(take_all()) == list(range(MANY))
    putting.result()


def test_who_puts_waits_while_too_many_wait() -> None:
    """A slow caller holds the agent up, instead of filling the memory."""

    async def scenario() -> None:
        handover: Handover[int] = Handover(AHEAD)
        for number in range(AHEAD):
            await handover.put(number)
        late = asyncio.ensure_future(handover.put(AHEAD))
        await asyncio.sleep(0)
        assert not late.done()
        assert await handover.take(1) == [0]
        await late
        assert await handover.take() == [1, 2, 3]

    asyncio.run(scenario())


def test_who_gave_up_taking_costs_no_item() -> None:
    """A taker who is cancelled leaves the next item to the next one."""

    async def scenario() -> None:
        handover: Handover[str] = Handover(AHEAD)
        waiting = asyncio.ensure_future(handover.take())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await handover.put("kept")
        assert await handover.take() == ["kept"]

    asyncio.run(scenario())
