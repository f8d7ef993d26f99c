"""One server of the Model Context Protocol: connected at the first request, and again after a failure.

Platform V2 restores every session from a snapshot of the started process, so nothing here connects before a request
asks for the tools.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from agent_runtime.tools.faults import ToolsUnavailableError
from agent_runtime.tools.mcp_connection import ServerConnection
from agent_runtime.tools.mcp_tool import McpTool
from agent_runtime.tools.mcp_transport import HeaderTransport, route_to

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from strands.types.tools import ToolUse

    from agent_runtime.blueprint_blocks import McpServer
    from agent_runtime.secret_reader import SecretValue
    from agent_runtime.secret_store import SecretStore

START_SECONDS = 20
FRESH_SECONDS = 60.0
"""How long after its last sign of life a connection is taken to stand."""

_FIRST_ERROR = 400
_BROKE_OFF = (
    "Error: the connection to the tool's server broke off. Whether the call took effect is not known; "
    "the server is connected again at the next call."
)


class ToolServer:
    """A server and its connection, for all sessions of this process.

    Args:
        server: What the blueprint says.
        secrets: Where the values of headers and of a process's variables come from.
        seconds: Longest time of one call.
        folder: Where the user's code lies.
        clock: Seconds that only grow, also while a session is frozen.
        transport: What puts the headers on the requests to a server elsewhere.
    """

    def __init__(
        self,
        server: McpServer,
        secrets: SecretStore,
        *,
        seconds: float,
        folder: Path,
        clock: Callable[[], float],
        transport: type[HeaderTransport] = HeaderTransport,
    ) -> None:
        self._server = server
        self._secrets = secrets
        self._seconds = seconds
        self._clock = clock
        self._route = route_to(server, secrets, seconds, folder, transport)
        self._client: ServerConnection | None = None
        self._tools: list[McpTool] = []
        self._seen = 0.0
        # One thread: connecting waits, and happens once for all who ask. It starts with the first of them.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mcp")

    @property
    def name(self) -> str:
        """The server as the blueprint names it."""
        return self._server.url or " ".join(self._server.command)

    async def tools(self) -> list[McpTool]:
        """Gives the server's tools that the blueprint allows.

        Returns:
            The tools, as the server listed them within the last `FRESH_SECONDS`.

        Raises:
            SecretError: A secret that the server is given cannot be read.
            ToolsUnavailableError: The server cannot be reached, or lacks a tool that the blueprint allows.
        """
        # Asked for here, so that a secret's fault is told as such and not as the server's.
        versions = _versions(await self._values())
        tools: list[McpTool] = await self._on_thread(lambda: self._current_tools(versions))
        return tools

    async def call(self, tool: McpTool, tool_use: ToolUse, cancel_signal: threading.Event | None) -> dict[str, Any]:
        """Calls a tool; a call that the connection broke off is made again only if the server calls it repeatable.

        Args:
            tool: The tool.
            tool_use: What the model asks.
            cancel_signal: Set when nobody waits any more.

        Returns:
            What Strands calls a tool result.
        """
        before = _texts(await self._values())
        result = await self._call_once(tool, tool_use, cancel_signal)
        if result is None and tool.repeatable:
            result = await self._call_once(tool, tool_use, cancel_signal)
        if result is None:
            return {"toolUseId": tool_use["toolUseId"], "status": "error", "content": [{"text": _BROKE_OFF}]}
        # A server that refuses a key may quote it, also one that was replaced meanwhile; the model's provider has no
        # business with either.
        values = before | _texts(await self._values())
        return _masked(result, values) if values else result

    async def close(self) -> None:
        """Ends the connection, and the server's process if there is one."""
        await self._on_thread(self._drop)
        self._thread.shutdown()

    async def _call_once(
        self, tool: McpTool, tool_use: ToolUse, cancel_signal: threading.Event | None
    ) -> dict[str, Any] | None:
        """Gives the result; nothing when the connection turned out to be broken."""
        versions = _versions(await self._values())
        client = await self._on_thread(lambda: self._lent(versions))
        try:
            result = await client.call_tool_async(
                tool_use["toolUseId"],
                tool.name_at_server,
                tool_use["input"],
                timedelta(seconds=self._seconds),
                cancel_signal=cancel_signal,
            )
        except RuntimeError:  # the session ended between the two lines
            result = None
        finally:
            await self._on_thread(lambda: self._given_back(client))
        # Only the server's own answers say whether the tool failed.
        if result is not None and (result["status"] == "success" or "isError" in result or "cancelled" in result):
            self._seen = self._clock()
            return dict(result)
        stands = await self._on_thread(lambda: self._check(client))
        return dict(result) if stands and result is not None else None

    async def _values(self) -> dict[str, SecretValue]:
        return await self._secrets.get_all(self._server.secret_names)

    async def _on_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _current_tools(self, versions: Mapping[str, str]) -> list[McpTool]:
        self._replace_if_older(versions)
        if self._client is None or self._clock() > self._seen + FRESH_SECONDS:
            try:
                self._list(self._connected())
            except ToolsUnavailableError:
                raise
            except Exception:  # an old connection that no longer stands
                self._drop()
                self._list_anew()
        return self._tools

    def _list_anew(self) -> None:
        try:
            self._list(self._connected())
        except ToolsUnavailableError:
            raise
        except Exception as error:
            self._drop()
            raise ToolsUnavailableError(
                f"The tools of {self.name} cannot be listed ({type(error).__name__})."
            ) from error

    def _connected(self) -> ServerConnection:
        if self._client is None:
            client = ServerConnection(self._route.open, startup_timeout=START_SECONDS)
            try:
                # Without the request's context: the connection outlives the request.
                Context().run(client.start)
            except Exception as error:
                raise self._unreachable() from error
            self._client = client
        return self._client

    def _lent(self, versions: Mapping[str, str]) -> ServerConnection:
        self._replace_if_older(versions)
        client = self._connected()
        client.calls += 1
        return client

    def _given_back(self, client: ServerConnection) -> None:
        client.calls -= 1
        if client.replaced and not client.calls:
            _end(client)

    def _replace_if_older(self, versions: Mapping[str, str]) -> None:
        """Gives up a process that was started with other secrets; it ends when its last call has its answer."""
        if self._client is None or self._route.started_with in (None, versions):
            return
        client, self._client = self._client, None
        client.replaced = True
        if not client.calls:
            _end(client)

    def _unreachable(self) -> ToolsUnavailableError:
        status = self._route.status
        told = f": it answers with HTTP status {status}" if status and status >= _FIRST_ERROR else ""
        return ToolsUnavailableError(f"The server of tools {self.name} cannot be reached{told}.")

    def _check(self, client: ServerConnection) -> bool:
        if client is not self._client:
            return False
        try:
            client.list_tools_sync()
        except Exception:
            self._drop()
            return False
        return True

    def _list(self, client: ServerConnection) -> None:
        found: list[Any] = []
        page = client.list_tools_sync()
        found += page
        while page.pagination_token:
            page = client.list_tools_sync(page.pagination_token)
            found += page
        tools = [McpTool(one, self) for one in found]
        missing = sorted(set(self._server.allow) - {tool.name_at_server for tool in tools})
        if missing:
            raise ToolsUnavailableError(
                f"The server of tools {self.name} has no {', '.join(missing)}, which the blueprint's allow names."
            )
        self._tools = [tool for tool in tools if not self._server.allow or tool.name_at_server in self._server.allow]
        self._seen = self._clock()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            _end(client)


def _end(client: ServerConnection) -> None:
    # One that broke says so once more.
    with suppress(Exception):
        client.stop()


def _versions(values: Mapping[str, SecretValue]) -> dict[str, str]:
    return {variable: value.version_id for variable, value in values.items()}


def _texts(values: Mapping[str, SecretValue]) -> set[str]:
    return {value.text for value in values.values()}


def _masked(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, dict):
        return {key: _masked(member, secrets) for key, member in value.items()}
    if isinstance(value, list):
        return [_masked(member, secrets) for member in value]
    return value
