"""The handler: AgentCore's HTTP contract by the `bedrock-agentcore` SDK, around the agent of the bundle."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import uuid
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NoReturn

from agent_runtime.blueprint_rules import PORTS
from agent_runtime.bundle_store import fetch_bundle
from agent_runtime.conversations import Conversations
from agent_runtime.errors import StrandlineError
from agent_runtime.failures import Failure, failure_of
from agent_runtime.guarded_events import build_guard
from agent_runtime.invocation import AgentService, Prompt
from agent_runtime.providers import build_model_source
from agent_runtime.secret_reader import secrets_client
from agent_runtime.secret_store import SecretStore
from agent_runtime.settings import RuntimeSettings
from agent_runtime.structured_output import build_structured_output
from agent_runtime.tools import build_toolbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bedrock_agentcore import BedrockAgentCoreApp, RequestContext
    from starlette.responses import Response

logger = logging.getLogger(__name__)

# At DEBUG these log whole requests, configurations and bearer tokens.
_TALKATIVE = (
    *("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "boto3", "botocore", "h11", "h2", "hpack", "httpcore", "httpx"),
    *("httpx2", "litellm", "mcp", "openai", "opentelemetry", "s3transfer", "strands", "urllib3"),
)
_INTERNAL_FAULT = 2


def serve() -> None:
    """Builds the agent and serves it; ends the process with one line when the agent cannot be built."""
    _configure_logging()
    service, settings = _build_or_exit()
    # Again, because libraries set their own level when they are imported: OPENAI_LOG=debug, LITELLM_LOG=DEBUG.
    quiet_libraries()
    protocol = service.blueprint.runtime.protocol
    port = settings.port or PORTS[protocol]
    if protocol == "HTTP":
        build_app(service).run(port=port, host=settings.host)
        return
    from agent_runtime.protocols import serve_protocol

    serve_protocol(service, host=settings.host, port=port)


def build_app(service: AgentService) -> BedrockAgentCoreApp:
    """Puts the agent behind `/invocations` and `/ping`.

    Args:
        service: The agent.

    Returns:
        The ASGI application of the `bedrock-agentcore` SDK.
    """
    from bedrock_agentcore import BedrockAgentCoreApp
    from starlette.middleware import Middleware

    from agent_runtime.event_stream import json_response
    from agent_runtime.request_guard import RequestGuard

    app = BedrockAgentCoreApp(middleware=[Middleware(RequestGuard)])

    async def invoke(payload: object, context: RequestContext) -> Response:
        try:
            prompt = Prompt.from_payload(payload)
            events = service.events(prompt, context.session_id or str(uuid.uuid4()))
            accept = _accepted(context)
            if prompt.stream or (prompt.stream is None and "text/event-stream" in accept):
                return await _stream(events, takes_json="application/json" in accept or "*/*" in accept)
            return json_response(await _last(events))
        except Exception as error:
            return _refusal(failure_of(error))

    app.entrypoint(invoke)
    return app


def build_service(settings: RuntimeSettings) -> AgentService:
    """Builds the agent that the bundle describes; reads no secret and leaves no connection open.

    Args:
        settings: What the deployment tells.

    Returns:
        The agent.

    Raises:
        StrandlineError: The agent cannot be built.
    """
    agent = fetch_bundle(settings.bundle)
    logging.getLogger("agent_runtime").setLevel(agent.blueprint.observability.log_level)
    secrets = SecretStore(
        prefix=settings.secret_prefix,
        environment=settings.environment,
        client_factory=secrets_client,
        policy=settings.secret_cache,
    )
    source = build_model_source(agent.blueprint, settings, secrets)
    output = build_structured_output(agent)
    tools = build_toolbox(agent.blueprint, secrets, reserved=[output.schema.name] if output else [])
    guard = build_guard(agent.blueprint)
    # Imported now, so that the snapshot holds it and no request waits for it.
    import strands  # noqa: F401

    logger.info(
        "agent=<%s>, version=<%s>, bundle=<%s> | built", agent.blueprint.id, agent.blueprint.version, agent.sha256
    )
    return AgentService(agent, source, Conversations(), tools=tools, output=output, guard=guard)


def quiet_libraries() -> None:
    """Keeps what libraries log at DEBUG, keys among it, out of the log, whatever the root logger's level."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A child with a level of its own would pass its parent by.
    for name, known in logging.root.manager.loggerDict.items():
        if isinstance(known, logging.Logger) and known.level < logging.WARNING and name.partition(".")[0] in _TALKATIVE:
            known.setLevel(logging.WARNING)


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


def _accepted(context: RequestContext) -> str:
    request = context.request
    return (request.headers.get("accept") if request is not None else None) or "*/*"


def _build_or_exit() -> tuple[AgentService, RuntimeSettings]:
    try:
        settings = RuntimeSettings.from_environment(os.environ)
        return build_service(settings), settings
    except StrandlineError as error:
        _exit(error.exit_code, type(error).__name__, str(error))
    except Exception as error:
        # Not its text: a library wrote that.
        place = traceback.extract_tb(error.__traceback__)[-1]
        _exit(_INTERNAL_FAULT, type(error).__name__, f"unexpected, in {place.name} at {place.filename}:{place.lineno}")


def _exit(code: int, fault: str, message: str) -> NoReturn:
    logger.error("exit=<%s>, fault=<%s> | the agent cannot start: %s", code, fault, " ".join(message.split()))
    sys.exit(code)


def _configure_logging() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    quiet_libraries()
    # The SDK gives its logger a handler of its own.
    logging.getLogger("bedrock_agentcore.app").propagate = False
