"""Strands' client of a server of tools, with an end that leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strands.tools.mcp import MCPClient

if TYPE_CHECKING:
    from types import TracebackType


class ServerConnection(MCPClient):
    """A connection to a server, in a thread of its own.

    Attributes:
        calls: Calls that wait for their answer now.
        replaced: Whether no further call will be made.
    """

    calls = 0
    replaced = False

    def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        """Ends the connection, also one that failed.

        Args:
            exc_type: For Strands; not used.
            exc_val: For Strands; not used.
            exc_tb: For Strands; not used.
        """
        thread, loop = self._background_thread, self._background_thread_event_loop
        failed = self._init_future.done() and self._init_future.exception() is not None
        if thread is not None and failed:
            thread.join()
        if thread is not None and loop is not None and not thread.is_alive():
            # Strands would hand this loop, which has ended, one more coroutine that nobody awaits.
            loop.close()
            self._background_thread_event_loop = None
        super().stop(exc_type, exc_val, exc_tb)
