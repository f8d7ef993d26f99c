"""What a request says of its caller, for the conversation that it belongs to and for the user's tools."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from bedrock_agentcore.runtime import BedrockAgentCoreContext
from bedrock_agentcore.runtime.models import (
    ACCESS_TOKEN_HEADER,
    AUTHORIZATION_HEADER,
    IDENTITY_WAT_HEADER,
    OAUTH2_CALLBACK_URL_HEADER,
    REQUEST_ID_HEADER,
    SESSION_HEADER,
    is_forwardable_header,
)

if TYPE_CHECKING:
    from starlette.datastructures import Headers


def session_of(headers: Headers) -> str | None:
    """Names AgentCore's session.

    Args:
        headers: The request's.

    Returns:
        The session; nothing where none is sent.
    """
    return headers.get(SESSION_HEADER)


def note_caller(headers: Headers, session: str | None) -> None:
    """Sets the SDK's context of the request, as the SDK does over HTTP: tools ask it for the agent's identity.

    Args:
        headers: The request's.
        session: AgentCore's session.
    """
    context = BedrockAgentCoreContext
    context.set_request_context(headers.get(REQUEST_ID_HEADER) or str(uuid.uuid4()), session)
    if token := headers.get(IDENTITY_WAT_HEADER) or headers.get(ACCESS_TOKEN_HEADER):
        context.set_workload_access_token(token)
    if address := headers.get(OAUTH2_CALLBACK_URL_HEADER):
        context.set_oauth2_callback_url(address)
    # Starlette's names are in lower case; the SDK's reader of the token asks for the usual one.
    names = {name: AUTHORIZATION_HEADER if name == AUTHORIZATION_HEADER.lower() else name for name in headers}
    context.set_request_headers({names[name]: headers[name] for name in headers if is_forwardable_header(name)})
