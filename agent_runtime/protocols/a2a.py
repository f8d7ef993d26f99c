"""The agent as a peer of other agents: a server of the Agent2Agent protocol, by its own SDK.

AgentCore's contract ("A2A protocol contract"): JSON-RPC 2.0 at port 9000, path `/`, and the agent's card at
`/.well-known/agent-card.json`. Versions 1.0 and 0.3 of the protocol are answered at the same address.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.routes.common import DefaultServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.utils.constants import PROTOCOL_VERSION_0_3, PROTOCOL_VERSION_1_0, VERSION_HEADER
from bedrock_agentcore.runtime.models import AGENTCORE_RUNTIME_URL_ENV
from starlette.applications import Starlette
from starlette.middleware import Middleware

from agent_runtime.blueprint_rules import PORTS
from agent_runtime.caller import SESSION_HEADER
from agent_runtime.failures import BadRequestError
from agent_runtime.health import Health
from agent_runtime.ping import ping_route
from agent_runtime.protocols.a2a_tasks import CALLER, AgentTasks, BoundedTaskStore, refusal
from agent_runtime.protocols.callers import caller_of
from agent_runtime.protocols.json_rpc import JsonRpcGuard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from a2a.server.context import ServerCallContext
    from starlette.requests import Request
    from starlette.types import Scope

    from agent_runtime.invocation import AgentService

PATH = "/"

# AgentCore's contract: errors are JSON-RPC errors, and HTTP knows nothing of them.
_OK = 200
_JSON_RPC = "JSONRPC"
# AgentCore always names one; elsewhere the ids of contexts and tasks are enough to go on with them.
_NO_SESSION = "no-session"
_TEXT, _JSON = "text/plain", "application/json"
_TAKES = (_TEXT, _JSON, "image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/csv")


def build_a2a_app(service: AgentService) -> Starlette:
    """Puts the agent behind `POST /`, its card behind the well-known path, and `GET /ping`.

    Args:
        service: The agent.

    Returns:
        The ASGI application.
    """
    health = Health()
    card = agent_card(service)
    handler = DefaultRequestHandler(AgentTasks(service, health), BoundedTaskStore(), card)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await handler.aclose()

    return Starlette(
        routes=[
            ping_route(health, service.details),
            *create_agent_card_routes(card),
            *create_jsonrpc_routes(handler, PATH, _CallContexts(), enable_v0_3_compat=True),
        ],
        middleware=[Middleware(JsonRpcGuard, path=PATH, status=_OK, adapt=_with_version)],
        lifespan=lifespan,
    )


def agent_card(service: AgentService) -> AgentCard:
    """Describes the agent to other agents, by its blueprint.

    Args:
        service: The agent.

    Returns:
        The card. Its address is the one that AgentCore tells ("Deploy A2A servers in AgentCore Runtime").
    """
    blueprint = service.blueprint
    address = os.environ.get(AGENTCORE_RUNTIME_URL_ENV) or f"http://localhost:{PORTS['A2A']}{PATH}"
    gives = [_TEXT, *([_JSON] if service.answer_schema else [])]
    description = blueprint.description or blueprint.name
    return AgentCard(
        name=blueprint.name,
        description=description,
        version=blueprint.version,
        supported_interfaces=[
            AgentInterface(protocol_binding=_JSON_RPC, protocol_version=version, url=address)
            for version in (PROTOCOL_VERSION_1_0, PROTOCOL_VERSION_0_3)
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=False),
        default_input_modes=_TAKES,
        default_output_modes=gives,
        skills=[
            AgentSkill(
                id=blueprint.id,
                name=blueprint.name,
                description=description,
                tags=blueprint.tags or [blueprint.id],
            )
        ],
    )


class _CallContexts(DefaultServerCallContextBuilder):
    """What the SDK's server knows of a request."""

    def build(self, request: Request) -> ServerCallContext:
        """Adds the caller, whose session is the only one that sees its tasks."""
        try:
            caller = caller_of(request.headers)
        except BadRequestError as error:
            raise refusal(error) from None
        context = super().build(request)
        is_told = SESSION_HEADER in request.headers
        context.state[CALLER] = caller if is_told else replace(caller, session_id=_NO_SESSION)
        return context


def _with_version(scope: Scope, payload: Any) -> Scope:
    """Tells the version by the method where no header does: InvokeAgentRuntime has no parameter for that header."""
    name = VERSION_HEADER.lower().encode()
    method = payload.get("method") if isinstance(payload, dict) else None
    if method not in JsonRpcDispatcher.METHOD_TO_MODEL or any(key == name for key, _ in scope["headers"]):
        return scope
    return {**scope, "headers": [*scope["headers"], (name, PROTOCOL_VERSION_1_0.encode())]}
