"""One tool of a server, as Strands calls it; it outlives the connection by which it was found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from strands.types._events import ToolResultEvent
from strands.types.tools import AgentTool

if TYPE_CHECKING:
    from strands.tools.mcp import MCPAgentTool
    from strands.types.tools import ToolGenerator, ToolSpec, ToolUse

    from agent_runtime.tools.mcp_server import ToolServer

# What every provider takes as the name of a tool.
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64
_REPEATABLE = ("readOnlyHint", "idempotentHint")


class McpTool(AgentTool):
    """A tool of a server.

    Args:
        found: The tool as Strands' client lists it.
        server: The server.

    Attributes:
        name_at_server: The server's name for it, which `allow` means.
        repeatable: Whether the server says that calling it twice does no harm.
    """

    def __init__(self, found: MCPAgentTool, server: ToolServer) -> None:
        super().__init__()
        self.name_at_server = found.tool_name
        self._name = _NOT_IN_NAMES.sub("_", found.tool_name)[:_LONGEST_NAME]
        self._spec: ToolSpec = {**found.tool_spec, "name": self._name}
        self._server = server
        hints = self._spec.get("annotations", {})
        self.repeatable = any(hints.get(hint) is True for hint in _REPEATABLE)

    @property
    def tool_name(self) -> str:
        """The model's name for it."""
        return self._name

    @property
    def tool_spec(self) -> ToolSpec:
        """What the model is told of it."""
        return self._spec

    @property
    def tool_type(self) -> str:
        """What Strands shows of it."""
        return "mcp"

    async def stream(self, tool_use: ToolUse, invocation_state: dict[str, Any], **_: Any) -> ToolGenerator:
        """Calls the tool.

        Args:
            tool_use: What the model asks.
            invocation_state: Strands' state of the invocation.
            **_: What other kinds of tools need.

        Yields:
            The result.
        """
        cancel_signal = getattr(invocation_state.get("agent"), "cancel_signal", None)
        yield ToolResultEvent(await self._server.call(self, tool_use, cancel_signal))  # type: ignore[arg-type]
