"""A server of tools for tests: over standard input and output when it is run, over HTTP when it is imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations


def make_server():
    """The server; its tools are few and plain."""
    server = MCPServer("tides")

    @server.tool(annotations=ToolAnnotations(readOnlyHint=True))
    def tide(place: str) -> str:
        """Tells the tide of a place."""
        return f"high in {place}"

    @server.tool()
    def book(place: str) -> str:
        """Books a berth."""
        return f"booked {place} in process {os.getpid()}"

    @server.tool()
    def fail(word: str) -> str:
        """Fails."""
        raise ToolError(f"no {word} here")

    @server.tool()
    def surroundings() -> str:
        """Tells what the server's process sees."""
        return " ".join(sorted(os.environ)) + " | " + str(Path.cwd())

    @server.tool()
    def end() -> str:
        """Ends the server's process at once."""
        os._exit(3)

    return server


if __name__ == "__main__":
    print("a line for the operator, quoting what came in", file=sys.stderr)
    make_server().run("stdio")
