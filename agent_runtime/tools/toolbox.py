"""All tools of one agent."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from agent_runtime.elapsed import ElapsedClock
from agent_runtime.errors import InputError
from agent_runtime.tools.faults import ToolsUnavailableError, log_failure, quiet_libraries
from agent_runtime.tools.named_tools import load_named_tool
from agent_runtime.user_code import USER_CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from strands import Agent
    from strands.types.tools import AgentTool

    from agent_runtime.blueprint import Blueprint
    from agent_runtime.secret_store import SecretStore
    from agent_runtime.tools.mcp_server import ToolServer


class ToolBox:
    """The tools of one agent, for all of its sessions.

    Args:
        named: Tools that are functions.
        servers: Servers of tools.
        reserved: Names that no tool may have.
    """

    def __init__(self, named: Sequence[AgentTool], servers: Sequence[ToolServer], reserved: Iterable[str] = ()) -> None:
        self._named = named
        self._servers = servers
        self._reserved = frozenset(reserved)
        if twice := self._taken_twice(named):
            raise InputError(f"Two tools of the agent have the name {twice}: rename one with @tool(name=...).")

    async def tools(self) -> list[AgentTool]:
        """Gives the tools for a request; connects to servers that are not connected.

        Returns:
            The tools.

        Raises:
            SecretError: The secret of a header cannot be read.
            ToolsUnavailableError: A server cannot be reached, or two tools have one name.
        """
        if not self._servers:
            return list(self._named)
        found = await asyncio.gather(*(server.tools() for server in self._servers))
        tools = [*self._named, *(tool for tools in found for tool in tools)]
        # Strands would take the later one without a word.
        if twice := self._taken_twice(tools):
            raise ToolsUnavailableError(f"Two tools of the agent have the name {twice}: allow one of them only.")
        return tools

    def attach(self, agent: Agent) -> None:
        """Makes an agent log the failures of its tools."""
        from strands.hooks import AfterToolCallEvent

        agent.hooks.add_callback(AfterToolCallEvent, log_failure)

    async def close(self) -> None:
        """Ends all connections."""
        await asyncio.gather(*(server.close() for server in self._servers))

    def _taken_twice(self, tools: Iterable[AgentTool]) -> str | None:
        # To Strands a hyphen and an underscore are one.
        seen = {name.replace("-", "_") for name in self._reserved}
        for tool in tools:
            name = tool.tool_name.replace("-", "_")
            if name in seen:
                return tool.tool_name
            seen.add(name)
        return None


def build_toolbox(
    blueprint: Blueprint,
    secrets: SecretStore,
    *,
    folder: Path = USER_CODE,
    reserved: Iterable[str] = (),
    clock: Callable[[], float] | None = None,
) -> ToolBox:
    """Resolves a blueprint's tools; connects to nothing and reads no secret.

    Args:
        blueprint: The agent.
        secrets: Where the values of headers come from.
        folder: Where the user's code lies.
        reserved: Names that no tool may have: that of the tool by which the model answers.
        clock: Seconds that only grow, also while a session is frozen; an `ElapsedClock` where none is given.

    Returns:
        The tools.

    Raises:
        InputError: A tool is missing, is none, or has the name of another.
    """
    asks_servers = _has_gateway(blueprint) or any(tool.mcp for tool in blueprint.tools)
    if not blueprint.tools and not asks_servers:
        return ToolBox((), ())
    quiet_libraries()
    named = [found for tool in blueprint.tools for found in load_named_tool(tool, folder)]
    # Not for agents without servers: they do without what speaks the protocol, and the snapshot of others has it.
    servers = _servers(blueprint, secrets, folder, clock or ElapsedClock()) if asks_servers else []
    return ToolBox(named, servers, reserved)


def _has_gateway(blueprint: Blueprint) -> bool:
    return blueprint.gateway is not None and blueprint.gateway.url is not None


def _servers(blueprint: Blueprint, secrets: SecretStore, folder: Path, clock: Callable[[], float]) -> list[ToolServer]:
    from agent_runtime.tools.gateway_transport import TRANSPORTS, server_of
    from agent_runtime.tools.mcp_server import ToolServer

    seconds = float(blueprint.runtime.max_execution_time)
    new = partial(ToolServer, secrets=secrets, seconds=seconds, folder=folder, clock=clock)
    servers = [new(tool.mcp) for tool in blueprint.tools if tool.mcp]
    if blueprint.gateway and _has_gateway(blueprint):
        servers.append(new(server_of(blueprint.gateway), transport=TRANSPORTS[blueprint.gateway.auth_type]))
    return servers
