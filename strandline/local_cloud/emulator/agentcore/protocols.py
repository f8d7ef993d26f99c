"""What a runtime serves, by its protocol: AgentCore's service contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .shapes import Body


@dataclass(frozen=True)
class ServerProtocol:
    """One protocol's contract.

    Attributes:
        path: Where requests go.
        pings: Whether the contract has `/ping`; a server without it is healthy as soon as it answers at all.
        session_headers: Headers that name the session, the first one that is sent.
        has_card: Whether it serves an agent card, and is told its address for it.
    """

    path: str
    pings: bool = True
    session_headers: tuple[str, ...] = ("x-amzn-bedrock-agentcore-runtime-session-id",)
    has_card: bool = False


MCP_SESSION_HEADER = "mcp-session-id"
CARD_PATH = "/.well-known/agent-card.json"

_HTTP = ServerProtocol("/invocations")
_PROTOCOLS = {
    "HTTP": _HTTP,
    "AGUI": _HTTP,
    # The platform keeps a client with its session by this header.
    "MCP": ServerProtocol("/mcp", pings=False, session_headers=(MCP_SESSION_HEADER, *_HTTP.session_headers)),
    "A2A": ServerProtocol("/", has_card=True),
}


def protocol_of(body: Body) -> ServerProtocol:
    """The contract that a version of a runtime declares."""
    return _PROTOCOLS[(body.get("protocolConfiguration") or {}).get("serverProtocol", "HTTP")]
