"""What a request says of its caller."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.failures import BadRequestError

if TYPE_CHECKING:
    from starlette.datastructures import Headers

SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
USER_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-User-Id"

_SHORTEST_SESSION_ID, _LONGEST_SESSION_ID = 33, 256
_LONGEST_USER_ID = 256


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        session_id: The conversation.
        user_id: Whom the caller names as its user. Whoever may call the agent can write any name here, so it is noted
            in traces, and nothing is decided by it.
    """

    session_id: str
    user_id: str | None

    @classmethod
    def from_headers(cls, headers: Headers) -> Caller:
        """Reads the headers of a request ("InvokeAgentRuntime", AgentCore API reference).

        Args:
            headers: The request's.

        Returns:
            The caller; a new session where none is named.

        Raises:
            BadRequestError: The session's id is shorter or longer than AgentCore has them.
        """
        session = headers.get(SESSION_HEADER) or str(uuid.uuid4())
        if not _SHORTEST_SESSION_ID <= len(session) <= _LONGEST_SESSION_ID:
            bounds = f"{_SHORTEST_SESSION_ID} to {_LONGEST_SESSION_ID}"
            raise BadRequestError(f"The header {SESSION_HEADER} must have {bounds} characters, not {len(session)}.")
        return cls(session, (headers.get(USER_HEADER) or "")[:_LONGEST_USER_ID] or None)
