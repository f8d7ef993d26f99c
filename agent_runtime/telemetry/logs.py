"""Log lines: one JSON object each on standard error, which AgentCore ships to the runtime's log group.

    {"timestamp": "2026-11-21T08:40:30.123Z", "level": "WARNING", "logger": "agent_runtime.failures", "message": "...",
     "environment": "production", "agent": "hello", "version": "1.2.0", "bundle": "<sha256>",
     "session": "...", "trace_id": "...", "failure_id": "..."}

What libraries write into exceptions and messages can hold keys and whole requests. So of an exception a line has its
type and where it came from, and of a library that handles keys or requests not the values in its messages either.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

# At DEBUG these log whole requests, configurations and bearer tokens.
_TALKATIVE = (
    *("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "boto3", "botocore", "h11", "h2", "hpack", "httpcore", "httpx"),
    *("httpx2", "litellm", "mcp", "openai", "opentelemetry", "s3transfer", "strands", "urllib3"),
)
# These put the values into the text themselves, so that nothing of it can be told from the rest.
_MIXES_VALUES_IN = ("LiteLLM", "litellm")
_LONGEST_STACK = 8000
_SDK = "bedrock_agentcore"

logger = logging.getLogger(__name__)

_origin: dict[str, str] = {}
_invocation: ContextVar[Mapping[str, str] | None] = ContextVar("log_members", default=None)


def configure() -> None:
    """Has all loggers of the process write JSON; once at start, before libraries make handlers of their own."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(capture=True)
    # With a handler there, the SDK adds none of its own, which would write exceptions' texts.
    logging.getLogger(f"{_SDK}.app").addHandler(logging.NullHandler())
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda told: _log_uncaught(told.exc_type, told.exc_value, told.exc_traceback)
    quiet_libraries()


def describe(**members: str) -> None:
    """Says whose log this is, once at start.

    Args:
        **members: Members of every line from now on.
    """
    _origin.update(members)


def begin_invocation(**members: str | None) -> None:
    """Says which invocation the lines of the current task and of its threads belong to.

    Args:
        **members: Members of these lines; `None` is left out.
    """
    _invocation.set({name: value for name, value in members.items() if value is not None})


def quiet_libraries() -> None:
    """Keeps what libraries log at DEBUG, keys among it, out of the log, whatever the root logger's level."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A child with a level of its own would pass its parent by.
    for name, known in logging.root.manager.loggerDict.items():
        if isinstance(known, logging.Logger) and known.level < logging.WARNING and name.partition(".")[0] in _TALKATIVE:
            known.setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Writes a record.

        Args:
            record: The record; its `failure_id`, given as `extra`, becomes a member.

        Returns:
            The line.
        """
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **_origin,
            **(_invocation.get() or _sdk_session()),
        }
        if failure := getattr(record, "failure_id", None):
            line["failure_id"] = failure
        if record.exc_info and record.exc_info[0]:
            line |= {"exception": record.exc_info[0].__name__, "stack": _stack(record.exc_info[2])}
        # ASCII: half a surrogate pair in a message would otherwise lose the line.
        return json.dumps(line)


def _message(record: logging.LogRecord) -> str:
    library = record.name.partition(".")[0]
    if library in _TALKATIVE:
        if library.startswith(_MIXES_VALUES_IN):
            return f"a message of {record.module}:{record.lineno}, kept back because it may hold a key or a request"
        return str(record.msg)
    try:
        return str(record.msg) % _harmless(record.args) if record.args else str(record.msg)
    except Exception:
        # The mistake of whoever logs must not cost the line.
        return str(record.msg)


def _harmless(values: Any) -> Any:
    """The values of a message, exceptions by their type only."""
    if isinstance(values, tuple):
        return tuple(type(value).__name__ if isinstance(value, BaseException) else value for value in values)
    return values


def _stack(frames: TracebackType | None) -> str:
    return "".join(traceback.format_tb(frames))[-_LONGEST_STACK:]


def _sdk_session() -> dict[str, str]:
    """The session of lines that the SDK writes around an invocation."""
    context = sys.modules.get(f"{_SDK}.runtime.context")
    session = context.BedrockAgentCoreContext.get_session_id() if context else None
    return {"session": session} if session else {}


def _log_uncaught(kind: type[BaseException], error: BaseException | None, frames: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        logger.critical("uncaught", exc_info=(kind, error or kind(), frames))
