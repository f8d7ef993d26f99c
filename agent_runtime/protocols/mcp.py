"""The agent as a tool: a server of the Model Context Protocol with one tool, named like the agent.

AgentCore's contract ("MCP protocol contract"): stateless streamable HTTP at port 8000, path `/mcp`. Stateless means
that nothing of the protocol is kept between requests; what the agent and its caller said is kept by session, as over
HTTP.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, ListToolsResult, TextContent, Tool
from starlette.middleware import Middleware

from agent_runtime.events import TOOL_START
from agent_runtime.failures import BadRequestError, failure_of
from agent_runtime.health import Health
from agent_runtime.inputs import Prompt
from agent_runtime.ping import ping_route
from agent_runtime.protocols.answers import ANSWER, ERROR, facts_of, text_of, whole_characters
from agent_runtime.protocols.callers import caller_of
from agent_runtime.protocols.json_rpc import JsonRpcGuard
from agent_runtime.request_guard import MAXIMUM_BODY_BYTES

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.types import CallToolRequestParams, PaginatedRequestParams
    from starlette.applications import Starlette
    from starlette.datastructures import Headers

    from agent_runtime.caller import Caller
    from agent_runtime.failures import Failure
    from agent_runtime.invocation import AgentService

PATH = "/mcp"

_BAD_REQUEST = 400
_PROMPT = "prompt"
_INPUT = {
    "type": "object",
    "properties": {_PROMPT: {"type": "string", "description": "What to ask the agent."}},
    "required": [_PROMPT],
    "additionalProperties": False,
}


def build_mcp_app(service: AgentService) -> Starlette:
    """Puts the agent behind `POST /mcp` and `GET /ping`.

    Args:
        service: The agent.

    Returns:
        The ASGI application.
    """
    health = Health()
    tool = _AgentTool(service, health)
    blueprint = service.blueprint
    server = Server(
        blueprint.id,
        version=blueprint.version,
        title=blueprint.name,
        on_list_tools=tool.listed,
        on_call_tool=tool.call,
    )
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=MAXIMUM_BODY_BYTES,
        # AgentCore stands between the server and the world, and its Host header is not known here.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        custom_starlette_routes=[ping_route(health, service.details)],
    )
    app.user_middleware.append(Middleware(JsonRpcGuard, path=PATH, status=_BAD_REQUEST))
    return app


class _AgentTool:
    """The agent, as MCP calls a tool."""

    def __init__(self, service: AgentService, health: Health) -> None:
        self._service = service
        self._health = health
        blueprint, schema = service.blueprint, service.answer_schema
        self._tool = Tool(
            name=blueprint.id,
            title=blueprint.name,
            description=blueprint.description or blueprint.name,
            input_schema=_INPUT,
            output_schema=dict(schema.schema) if schema else None,
        )

    async def listed(self, _: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        """Answers `tools/list`."""
        return ListToolsResult(tools=[self._tool])

    async def call(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        """Answers `tools/call`; a caller who leaves ends the agent, because the server cancels this then.

        Raises:
            MCPError: There is no such tool.
        """
        if params.name != self._tool.name:
            raise MCPError(INVALID_PARAMS, f"There is no tool of that name: the agent is the tool {self._tool.name}.")
        headers: Headers = context.request.headers  # type: ignore[union-attr] # HTTP has one
        with self._health.working():
            try:
                caller = caller_of(headers, MCP_SESSION_ID_HEADER)
                answer = await self._ask(context, _prompt(params.arguments), caller)
            except Exception as error:
                return _failed(failure_of(error))
        return CallToolResult(
            content=[TextContent(text=text) for text in text_of(answer)],
            structured_content=answer["structured"] if self._tool.output_schema else None,
            _meta={ANSWER: facts_of(answer)},
        )

    async def _ask(self, context: ServerRequestContext[Any], prompt: Prompt, caller: Caller) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        steps = 0
        async with aclosing(self._service.events(prompt, caller.session_id, user_id=caller.user_id)) as events:
            async for event in events:
                answer = event
                if step := _step(event):
                    steps += 1
                    await context.session.report_progress(steps, message=step)
        return whole_characters(answer)  # type: ignore[no-any-return]


def _step(event: dict[str, Any]) -> str | None:
    """What is worth telling a caller who waits; it also shows whoever is in between that the answer comes."""
    if event.get("type") == TOOL_START:
        return f"The agent uses {event['tool']['name']}."
    return "The model answers." if "messageStart" in event.get("event", {}) else None


def _prompt(arguments: dict[str, Any] | None) -> Prompt:
    given = arguments or {}
    if others := sorted(given.keys() - {_PROMPT}):
        raise BadRequestError(f'The tool takes "prompt" and nothing else; it was given {", ".join(others)}.')
    if not isinstance(given.get(_PROMPT), str):
        raise BadRequestError('The tool needs "prompt", a text.')
    return Prompt.from_payload(given)


def _failed(failure: Failure) -> CallToolResult:
    """A result rather than an error of the protocol: the model that called the tool reads results."""
    text = f"{failure.message} ({failure.type}, id {failure.id})"
    return CallToolResult(content=[TextContent(text=text)], is_error=True, _meta={ERROR: failure.as_event()["error"]})
