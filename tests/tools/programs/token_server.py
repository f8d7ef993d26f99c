"""A server of tools over standard input and output that wants a token in its environment."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations


def make_server():
    """The server."""
    if not os.environ.get("TIDE_TOKEN"):
        sys.exit(3)
    server = MCPServer("tokens")

    @server.tool(annotations=ToolAnnotations(readOnlyHint=True))
    def token() -> str:
        """Tells what the server was given, and which process it is."""
        return f"{os.environ['TIDE_TOKEN']} in process {os.getpid()}"

    @server.tool()
    def surroundings() -> str:
        """Tells the names of the variables that the server's process has."""
        return " ".join(sorted(os.environ))

    @server.tool()
    def wait(begun: str, end: str) -> str:
        """Says that it has begun, by a file, and waits for another one; tells its process."""
        Path(begun).touch()
        deadline = time.monotonic() + 30
        while not Path(end).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return f"waited in process {os.getpid()}"

    return server


if __name__ == "__main__":
    make_server().run("stdio")
