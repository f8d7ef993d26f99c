"""How a server of tools is reached: streamable HTTP with headers from secrets, or a process that is given them."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
from mcp import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from agent_runtime.user_code import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from agent_runtime.blueprint_blocks import McpServer
    from agent_runtime.secret_reader import SecretValue
    from agent_runtime.secret_store import SecretStore

CONNECT_SECONDS = 10.0

_REFUSED = (401, 403)
_PYTHON = ("python", "python3")


class HeaderTransport(httpx2.AsyncHTTPTransport):
    """Puts the current values of secrets into each request, and lets no request leave the server's origin.

    Below the client on purpose: a redirect copies the headers that the client knows, and these it never sees.

    Args:
        url: Address of the server.
        headers: Header to the variable whose secret holds its value.
        secrets: Where the values come from.
    """

    def __init__(self, url: str, headers: Mapping[str, str], secrets: SecretStore) -> None:
        super().__init__()
        self._origin = _origin(httpx2.URL(url))
        self._headers = headers
        self._secrets = secrets

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request; once more when the server refuses it and there are newer values."""
        if _origin(request.url) != self._origin:
            raise httpx2.UnsupportedProtocol("the server redirects to another host", request=request)
        sent = await self._secrets.get_all(self._headers.values())
        response = await self._send(request, sent)
        if response.status_code in _REFUSED and self._headers:
            await self._secrets.reread({variable: value.version_id for variable, value in sent.items()})
            current = await self._secrets.get_all(self._headers.values())
            if current != sent:
                await response.aclose()
                response = await self._send(request, current)
        return response

    async def added(self, request: httpx2.Request, values: Mapping[str, SecretValue]) -> dict[str, str]:
        """Gives the headers that say who the agent is.

        Args:
            request: The client's request.
            values: The current values of the secrets by their variables.

        Returns:
            Headers to put on the request.
        """
        return {header: values[variable].text for header, variable in self._headers.items()}

    async def _send(self, request: httpx2.Request, values: Mapping[str, SecretValue]) -> httpx2.Response:
        headers = request.headers.copy()
        headers.update(await self.added(request, values))
        # A request of its own: the client's, which it keeps in its answers and errors, holds no secret.
        own = httpx2.Request(
            request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        return await super().handle_async_request(own)


class HttpRoute:
    """A server elsewhere.

    Args:
        url: Its address.
        headers: Header to the variable whose secret holds its value.
        secrets: Where the values come from.
        seconds: Longest wait for an answer.
        transport: What puts the headers on the requests.

    Attributes:
        status: HTTP status of the last answer; `mcp` keeps it to itself.
        started_with: Nothing: values are read for each request.
    """

    started_with = None

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        secrets: SecretStore,
        seconds: float,
        transport: type[HeaderTransport] = HeaderTransport,
    ) -> None:
        self._url = url
        self._headers = headers
        self._secrets = secrets
        self._transport = transport
        secrets.register(headers.values())
        self._timeout = httpx2.Timeout(CONNECT_SECONDS, read=seconds)
        self.status: int | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        """Opens the streams of a connection."""

        async def note(response: httpx2.Response) -> None:
            self.status = response.status_code

        self.status = None
        client = httpx2.AsyncClient(
            transport=self._transport(self._url, self._headers, self._secrets),
            timeout=self._timeout,
            follow_redirects=True,
            trust_env=False,  # proxies of the environment would take the transport's place
            event_hooks={"response": [note]},
        )
        async with client, streamable_http_client(self._url, http_client=client) as streams:
            yield streams


class ProcessRoute:
    """A server beside the agent.

    Args:
        command: Program and arguments.
        variables: Variable of its process to the variable whose secret holds its value.
        secrets: Where the values come from.
        folder: Where the user's code lies.

    Attributes:
        started_with: Versions of the secrets that the last process was started with, by variable.
    """

    status = None

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str], secrets: SecretStore, folder: Path
    ) -> None:
        self._command = command
        self._variables = variables
        self._secrets = secrets
        self._folder = folder
        secrets.register(variables.values())
        self.started_with: dict[str, str] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        """Starts the process and opens the streams of a connection."""
        values = await self._secrets.get_all(self._variables.values())
        program, *arguments = self._command
        parameters = StdioServerParameters(
            command=sys.executable if program in _PYTHON else program,
            args=arguments,
            # Added to the few variables that `mcp` hands on: the role's credentials are not among them.
            env={
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(self._folder)]),
                **{name: values[variable].text for name, variable in self._variables.items()},
            },
            cwd=self._folder if self._folder.is_dir() else None,
        )
        self.started_with = {variable: value.version_id for variable, value in values.items()}
        # What it writes to its standard error goes nowhere: servers log requests there.
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - opening it waits for nothing
            async with stdio_client(parameters, errlog=nowhere) as streams:
                yield streams


def route_to(
    server: McpServer,
    secrets: SecretStore,
    seconds: float,
    folder: Path,
    transport: type[HeaderTransport] = HeaderTransport,
) -> HttpRoute | ProcessRoute:
    """Chooses the way to a server; opens nothing.

    Args:
        server: What the blueprint says.
        secrets: Where the values of headers and of a process's variables come from.
        seconds: Longest wait for an answer.
        folder: Where the user's code lies.
        transport: What puts the headers on the requests to a server elsewhere.

    Returns:
        The way.
    """
    if server.command:
        return ProcessRoute(server.command, server.environment_env, secrets, folder)
    return HttpRoute(str(server.url), server.headers_env, secrets, seconds, transport)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
