"""The handler: builds the agent of the bundle when the process starts, and serves it by its blueprint's protocol."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from typing import NoReturn

from agent_runtime.blueprint_rules import PORTS
from agent_runtime.bundle_store import fetch_bundle
from agent_runtime.conversations import Conversations
from agent_runtime.errors import StrandlineError
from agent_runtime.guarded_events import build_guard
from agent_runtime.http_app import build_app, server_options
from agent_runtime.invocation import AgentService
from agent_runtime.providers import build_model_source
from agent_runtime.secret_reader import secrets_client
from agent_runtime.secret_store import SecretStore
from agent_runtime.settings import RuntimeSettings
from agent_runtime.structured_output import build_structured_output
from agent_runtime.tools import build_toolbox

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
    # uvicorn raises the signal again when it has served what was in flight; by default that would be no orderly end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    protocol = service.blueprint.runtime.protocol
    port = settings.port or PORTS[protocol]
    if protocol == "HTTP":
        build_app(service).run(port=port, host=settings.host, **server_options())
        return
    from agent_runtime.protocols import serve_protocol

    serve_protocol(service, host=settings.host, port=port)


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
    return AgentService(agent, source, Conversations(), tools=tools, output=output, guard=guard, secrets=secrets)


def quiet_libraries() -> None:
    """Keeps what libraries log at DEBUG, keys among it, out of the log, whatever the root logger's level."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A child with a level of its own would pass its parent by.
    for name, known in logging.root.manager.loggerDict.items():
        if isinstance(known, logging.Logger) and known.level < logging.WARNING and name.partition(".")[0] in _TALKATIVE:
            known.setLevel(logging.WARNING)


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
