"""Serves an ASGI app by uvicorn on a loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvicorn

_LOOK_SECONDS = 0.002


class ServedApp:
    """A running server; it takes connections as soon as it is made.

    Args:
        app: The ASGI app.
        port: The port; 0 for a free one.
        **options: Settings of uvicorn.
    """

    def __init__(self, app, *, port=0, **options):
        # It listens before the thread does: until then a caller would be refused.
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = _PromptServer(uvicorn.Config(app, log_config=None, **options))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})
        self._thread.start()

    def stop(self):
        """Ends the server; what is in flight comes to its end."""
        self._server.should_exit = True
        self._thread.join()


class _PromptServer(uvicorn.Server):
    """uvicorn ends in steps of tenths of a second, which is most of the time of a test with a server of its own."""

    async def main_loop(self):
        await self.on_tick(0)
        while not self.should_exit:
            await asyncio.sleep(_LOOK_SECONDS)

    async def shutdown(self, sockets=None):
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while state.connections or state.tasks:
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            for task in state.tasks:
                task.cancel()
        await self.lifespan.shutdown()
