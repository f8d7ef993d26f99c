"""What goes wrong with tools, and who hears of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent_runtime.failures import InvocationError

if TYPE_CHECKING:
    from strands.hooks import AfterToolCallEvent

logger = logging.getLogger(__name__)

# They log the texts of exceptions, in which libraries and servers quote keys; `log_failure` says what may be said.
_TALKATIVE = ("strands.tools.executors", "strands.tools.mcp", "strands.tools.registry", "mcp.client", "mcp.shared")


class ToolsUnavailableError(InvocationError):
    """Raised when the agent cannot have the tools that its blueprint names."""

    kind = "tools_unavailable"


def quiet_libraries() -> None:
    """Keeps what libraries log of tools out of the log, errors included."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def log_failure(event: AfterToolCallEvent) -> None:
    """Logs that a tool failed, by its name and the kind of failure; the model is told the rest.

    Args:
        event: What Strands tells after each call.
    """
    if event.result["status"] == "error":
        kind = type(event.exception).__name__ if event.exception else "told by the tool"
        logger.warning("tool=<%s>, exception=<%s> | the call failed", event.tool_use["name"], kind)
