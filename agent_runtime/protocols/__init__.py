"""The protocols that an agent serves instead of HTTP, by its blueprint's `runtime.protocol`.

    mcp.py        MCP: the agent is one tool
    a2a.py        A2A: the agent is a peer; needs the lock `a2a`
    a2a_tasks.py  A2A: a message becomes a task
    answers.py    the parts of an answer
    callers.py    what a request says of its caller
    json_rpc.py   bounds of the body

All speak to the same `AgentService` as HTTP does: data protection, limits, secrets and failures are the same.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from agent_runtime.invocation import AgentService

# They log callers' payloads and the texts of exceptions; `failure_of` says what may be said.
_TALKATIVE = ("a2a", "mcp.server", "mcp.shared")


def serve_protocol(service: AgentService, *, host: str, port: int) -> None:
    """Serves an agent by the protocol of its blueprint, until the process ends.

    Args:
        service: The agent.
        host: Address to serve on.
        port: Port to serve on.
    """
    import uvicorn

    from agent_runtime.http_app import GRACE_SECONDS

    uvicorn.run(
        build_protocol_app(service),
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def build_protocol_app(service: AgentService) -> Starlette:
    """Puts an agent behind the protocol of its blueprint.

    Args:
        service: The agent; its protocol is not HTTP.

    Returns:
        The ASGI application.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if service.blueprint.runtime.protocol == "MCP":
        from agent_runtime.protocols.mcp import build_mcp_app

        return build_mcp_app(service)
    from agent_runtime.protocols.a2a import build_a2a_app

    return build_a2a_app(service)
