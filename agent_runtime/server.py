"""The handler: AgentCore's HTTP contract by the `bedrock-agentcore` SDK, around the agent of the bundle."""

from __future__ import annotations

import logging
import os
import sys
import uuid
from typing import TYPE_CHECKING, Any

from agent_runtime.bundle_store import fetch_bundle
from agent_runtime.conversations import Conversations
from agent_runtime.errors import StrandlineError
from agent_runtime.failures import failure_of
from agent_runtime.invocation import AgentService, Prompt
from agent_runtime.models import build_model_source
from agent_runtime.secret_store import SecretStore
from agent_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bedrock_agentcore import BedrockAgentCoreApp, RequestContext

logger = logging.getLogger(__name__)

# At DEBUG these log whole requests, configurations and bearer tokens.
_TALKATIVE = ("strands", "openai", "httpx", "httpcore", "httpx2", "litellm", "LiteLLM", "botocore", "boto3", "urllib3")


def serve() -> None:
    """Builds the agent and serves it; ends the process with one line when the agent cannot be built."""
    _configure_logging()
    try:
        settings = RuntimeSettings.from_environment(os.environ)
        service = _build_service(settings)
    except StrandlineError as error:
        logger.error("agent cannot start | %s", error)
        sys.exit(error.exit_code)
    build_app(service).run(port=settings.port, host=settings.host)


def build_app(service: AgentService) -> BedrockAgentCoreApp:
    """Puts the agent behind `/invocations` and `/ping`.

    Args:
        service: The agent.

    Returns:
        The ASGI application of the `bedrock-agentcore` SDK.
    """
    from bedrock_agentcore import BedrockAgentCoreApp
    from starlette.responses import JSONResponse

    app = BedrockAgentCoreApp()

    async def invoke(payload: object, context: RequestContext) -> Any:
        session_id = context.session_id or str(uuid.uuid4())
        try:
            prompt = Prompt.from_payload(payload)
            if _wants_stream(prompt, context):
                return _stream(service, prompt, session_id)
            return await _answer(service, prompt, session_id)
        except Exception as error:
            failure = failure_of(error)
            return JSONResponse(failure.as_event(), status_code=failure.status)

    app.entrypoint(invoke)
    return app


async def _answer(service: AgentService, prompt: Prompt, session_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    async for event in service.events(prompt, session_id):
        answer = event
    return answer


async def _stream(service: AgentService, prompt: Prompt, session_id: str) -> AsyncIterator[dict[str, Any]]:
    try:
        async for event in service.events(prompt, session_id):
            yield event
    except Exception as error:
        yield failure_of(error).as_event()


def _wants_stream(prompt: Prompt, context: RequestContext) -> bool:
    if prompt.stream is not None:
        return prompt.stream
    request = context.request
    return request is not None and "text/event-stream" in request.headers.get("accept", "")


def _build_service(settings: RuntimeSettings) -> AgentService:
    agent = fetch_bundle(settings.bundle)
    secrets = SecretStore(
        prefix=settings.secret_prefix, environment=settings.environment, client_factory=_secrets_manager_client
    )
    source = build_model_source(agent.blueprint, settings, secrets)
    # Imported now, so that the snapshot holds it and no request waits for it.
    import strands  # noqa: F401

    logger.info(
        "agent=<%s>, version=<%s>, bundle=<%s> | built", agent.blueprint.id, agent.blueprint.version, agent.sha256
    )
    return AgentService(agent, source, Conversations())


def _secrets_manager_client() -> Any:
    import boto3

    return boto3.client("secretsmanager")


def _configure_logging() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # The SDK gives its logger a handler of its own.
    logging.getLogger("bedrock_agentcore.app").propagate = False
