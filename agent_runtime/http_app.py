"""AgentCore's HTTP contract by the `bedrock-agentcore` SDK: `/invocations`, `/ping` and `/ws` around one agent."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from agent_runtime.failures import Failure, failure_of
from agent_runtime.health import Health
from agent_runtime.inputs import Prompt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bedrock_agentcore import BedrockAgentCoreApp, RequestContext
    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from agent_runtime.invocation import AgentService

GRACE_SECONDS = 25
"""Seconds that requests in flight have to come to their end after SIGTERM; containers have 30 by default."""

# Longer than who calls keeps a connection that rests (load balancers: 60 s), so that none is closed under a request.
_KEEP_ALIVE_SECONDS = 75

_EVENT_STREAM = "text/event-stream"
_PROBE = {"probe": True}


def build_app(service: AgentService) -> BedrockAgentCoreApp:
    """Puts the agent behind `/invocations`, `/ping` and `/ws`.

    Args:
        service: The agent.

    Returns:
        The ASGI application of the `bedrock-agentcore` SDK.
    """
    from bedrock_agentcore import BedrockAgentCoreApp
    from starlette.middleware import Middleware

    from agent_runtime.ping import ping_route
    from agent_runtime.request_guard import RequestGuard

    health = Health()
    app = BedrockAgentCoreApp(middleware=[Middleware(RequestGuard, health=health)])
    # At INFO it tells of each invocation that it is complete, when its stream has only begun; the metrics tell the end.
    app.logger.setLevel(logging.WARNING)
    # Before the SDK's own, which remembers a time from before the snapshot.
    app.router.routes.insert(0, ping_route(health, service.details))

    async def invoke(payload: object, context: RequestContext) -> Response:
        try:
            return await _answer(service, payload, context)
        except Exception as error:
            return _refusal(failure_of(error))

    async def converse(websocket: WebSocket, _: RequestContext) -> None:
        from agent_runtime.websocket import serve_turns

        await serve_turns(websocket)

    app.entrypoint(invoke)
    app.websocket(converse)
    return app


def server_options() -> dict[str, Any]:
    """Gives uvicorn's settings, besides the address."""
    from agent_runtime.request_guard import MAXIMUM_BODY_BYTES
    from agent_runtime.websocket import websocket_protocol

    return {
        "ws": websocket_protocol,
        # Somewhat more than is taken, so that a message that is too large is answered like a body that is.
        "ws_max_size": 2 * MAXIMUM_BODY_BYTES,
        "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }


async def _answer(service: AgentService, payload: object, context: RequestContext) -> Response:
    from agent_runtime.caller import Caller
    from agent_runtime.event_stream import json_response
    from agent_runtime.trace_context import take_in

    if payload == _PROBE:
        return json_response(await _probe(service))
    headers = _headers(context)
    caller = Caller.from_headers(headers)
    take_in(headers)
    prompt = Prompt.from_payload(payload)
    events = service.events(prompt, caller.session_id, user_id=caller.user_id)
    accept = headers.get("accept") or "*/*"
    if prompt.stream or (prompt.stream is None and _EVENT_STREAM in accept):
        return await _stream(events, takes_json="application/json" in accept or "*/*" in accept)
    return json_response(await _last(events))


async def _probe(service: AgentService) -> dict[str, Any]:
    """What runs here, or why it could not work: an answer in both cases, as AgentCore keeps the body of a failure."""
    try:
        return await service.probe()
    except Exception as error:
        return failure_of(error).as_event()


async def _last(events: AsyncGenerator[dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    async with aclosing(events):
        async for event in events:
            answer = event
    return answer


async def _stream(events: AsyncGenerator[dict[str, Any]], *, takes_json: bool) -> Response:
    from agent_runtime.event_stream import EventStream

    stream = EventStream(events)
    first = await stream.first()
    if isinstance(first, Failure) and takes_json:
        # LiteLLM takes both, and takes a stream of only an error for an empty answer.
        return _refusal(first)
    return stream.response(first)


def _refusal(failure: Failure) -> Response:
    from agent_runtime.event_stream import json_response

    return json_response(failure.as_event(), failure.status)


def _headers(context: RequestContext) -> Headers:
    from starlette.datastructures import Headers

    # The SDK gives no request when it stumbles over one.
    return Headers() if context.request is None else context.request.headers
