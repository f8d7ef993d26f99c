"""What a caller is sent: Converse stream events as Strands emits them, and Strandline's own members and events beside.

Every event is one JSON object. One with a `type` is described in `docs/invocations.md` for its version `v`: a member
may be added within a version, none is changed or removed. (`version` in an answer is the blueprint's.)
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1

TEXT_DELTA = "text_delta"
TOOL_START = "tool_start"
TOOL_END = "tool_end"
STRUCTURED = "structured"
USAGE = "usage"
DONE = "done"
ERROR = "error"
PROBE = "probe"

_TOKENS = {
    **{"input_tokens": "inputTokens", "output_tokens": "outputTokens", "total_tokens": "totalTokens"},
    **{"cache_read_tokens": "cacheReadInputTokens", "cache_write_tokens": "cacheWriteInputTokens"},
}


def typed(kind: str, **members: Any) -> dict[str, Any]:
    """Makes an event of Strandline's own.

    Args:
        kind: Its type.
        **members: What it tells.

    Returns:
        The event.
    """
    return {"type": kind, "v": VERSION, **members}


def converse(event: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, Any]:
    """Makes an event of a Converse stream event; the type stands beside it, so that no byte is said twice.

    Args:
        event: The stream event.
        used: The tokens of all model calls so far, as Converse counts them.

    Returns:
        The event.
    """
    told = {"event": plain(event)}
    if "text" in event.get("contentBlockDelta", {}).get("delta", {}):
        return told | typed(TEXT_DELTA)
    if "usage" in event.get("metadata", {}):
        return told | typed(USAGE, usage=tokens(used))
    return told


def tokens(used: Mapping[str, Any]) -> dict[str, int | None]:
    """Names tokens as answers do.

    Args:
        used: Tokens as Converse counts them.

    Returns:
        Tokens by name; `None` where nobody told them. Strands counts those as zero, and a call without any token
        does not exist.
    """
    return {name: used.get(member) if used.get("totalTokens") else None for name, member in _TOKENS.items()}


def plain(value: Any) -> Any:
    """Makes Strands' content fit for JSON.

    Args:
        value: Content, with bytes in it such as those of redacted reasoning.

    Returns:
        The same with base64 for bytes.
    """
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
