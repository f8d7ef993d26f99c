"""Hands items from one event loop to another, in batches, with nobody waiting in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Handover(Generic[Item]):
    """A bounded queue between two loops.

    `asyncio.Queue` belongs to one loop: to take from it on another one costs a task there and two wake-ups for each
    item. Here each side is woken once, and only when it waits. The lock is held for a few operations at a time.

    Args:
        ahead: Items that may wait before who puts has to.
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()
        self._taker: _Sleeper | None = None
        self._putter: _Sleeper | None = None

    async def put(self, item: Item) -> None:
        """Hands an item over; waits while too many wait already. One putter at a time.

        Args:
            item: The item.
        """
        while (room := self._append(item)) is not None:
            await room

    async def take(self, limit: int | None = None) -> list[Item]:
        """Takes what has come; waits for the first item. One taker at a time.

        Args:
            limit: The most to take; everything by default.

        Returns:
            One item or more, in order.
        """
        while True:
            with self._lock:
                if self._items:
                    count = len(self._items) if limit is None else min(limit, len(self._items))
                    taken = [self._items.popleft() for _ in range(count)]
                    putter, self._putter = self._putter, None
                    break
                taker = self._taker = _Sleeper()
            await taker.sleep
        if putter is not None:
            putter.wake()
        return taken

    def _append(self, item: Item) -> asyncio.Future[None] | None:
        with self._lock:
            if len(self._items) >= self._ahead:
                putter = self._putter = _Sleeper()
                return putter.sleep
            self._items.append(item)
            taker, self._taker = self._taker, None
        if taker is not None:
            # When this loop has done what it is at: what comes meanwhile goes along, and no thread waits for the other.
            asyncio.get_running_loop().call_soon(taker.wake)
        return None


class _Sleeper:
    """Who waits on the running loop, until it is woken from any."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.sleep: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if not self.sleep.done():
            self.sleep.set_result(None)
