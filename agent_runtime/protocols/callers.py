"""What a request says of its caller: to us, to the user's tools, and to traces."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from bedrock_agentcore.runtime import BedrockAgentCoreContext
from bedrock_agentcore.runtime.models import (
    ACCESS_TOKEN_HEADER,
    AUTHORIZATION_HEADER,
    IDENTITY_WAT_HEADER,
    OAUTH2_CALLBACK_URL_HEADER,
    REQUEST_ID_HEADER,
    is_forwardable_header,
)

from agent_runtime.caller import Caller
from agent_runtime.trace_context import take_in

if TYPE_CHECKING:
    from starlette.datastructures import Headers


def caller_of(headers: Headers, session_header: str | None = None) -> Caller:
    """Reads a request's headers, and sets the context that the SDK sets over HTTP.

    Args:
        headers: The request's.
        session_header: A protocol's own name of the session. It goes before AgentCore's, because AWS's SDKs make up
            another session of that name for each request that is not told one.

    Returns:
        The caller.

    Raises:
        BadRequestError: A header is none that AgentCore sends.
    """
    caller = Caller.from_headers(headers)
    if session_header and (session := headers.get(session_header)):
        caller = replace(caller, session_id=session)
    take_in(headers)
    _set_context(headers, caller.session_id)
    return caller


def _set_context(headers: Headers, session: str) -> None:
    """Tools ask the SDK's context for the agent's identity."""
    context = BedrockAgentCoreContext
    context.set_request_context(headers.get(REQUEST_ID_HEADER) or str(uuid.uuid4()), session)
    if token := headers.get(IDENTITY_WAT_HEADER) or headers.get(ACCESS_TOKEN_HEADER):
        context.set_workload_access_token(token)
    if address := headers.get(OAUTH2_CALLBACK_URL_HEADER):
        context.set_oauth2_callback_url(address)
    # Starlette's names are in lower case; the SDK's reader of the token asks for the usual one.
    names = {name: AUTHORIZATION_HEADER if name == AUTHORIZATION_HEADER.lower() else name for name in headers}
    context.set_request_headers({names[name]: headers[name] for name in headers if is_forwardable_header(name)})
