"""Conversation state by session: bounded, and one request at a time in each."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from strands.types.content import Messages

# AgentCore gives each session a process of its own; the bound is for other hosts of this handler.
MAXIMUM_CONVERSATIONS = 256


class Conversation:
    """The messages of one session.

    Attributes:
        messages: What was said.
        turn: Held by the request that is being answered.
        requests: Requests that hold or wait for the turn. The lock alone would not tell: between one request's end and
            the next one's start it is free although somebody waits.
    """

    def __init__(self) -> None:
        self.messages: Messages = []
        self.turn = asyncio.Lock()
        self.requests = 0


class Conversations:
    """All sessions of this process; the least recently used idle one makes room for a new one."""

    def __init__(self, maximum: int = MAXIMUM_CONVERSATIONS) -> None:
        self._maximum = maximum
        self._by_session: OrderedDict[str, Conversation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_session)

    @asynccontextmanager
    async def turn(self, session_id: str) -> AsyncIterator[Messages]:
        """Opens one turn of a session; a turn that fails leaves the messages as they were before it.

        Args:
            session_id: AgentCore's session id.

        Yields:
            The session's messages; what the turn appends stays if the turn ends well.
        """
        conversation = self._by_session.setdefault(session_id, Conversation())
        self._by_session.move_to_end(session_id)
        conversation.requests += 1
        try:
            async with conversation.turn:
                before = list(conversation.messages)
                try:
                    yield conversation.messages
                except BaseException:
                    conversation.messages[:] = before
                    raise
        finally:
            conversation.requests -= 1
            self._evict()

    def _evict(self) -> None:
        idle = [key for key, conversation in self._by_session.items() if not conversation.requests]
        for key in idle[: max(0, len(self._by_session) - self._maximum)]:
            del self._by_session[key]
