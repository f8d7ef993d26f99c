"""The handler: builds the agent of the bundle when the process starts, and serves it by its blueprint's protocol."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

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
from agent_runtime.telemetry import build_tracing, logs, metrics
from agent_runtime.tools import build_toolbox

if TYPE_CHECKING:
    from agent_runtime.bundle import BundledAgent

logger = logging.getLogger(__name__)

_INTERNAL_FAULT = 2


def serve() -> None:
    """Builds the agent and serves it; ends the process with one line when the agent cannot be built."""
    logs.configure()
    service, settings = _build_or_exit()
    # Again, because libraries set their own level when they are imported: OPENAI_LOG=debug, LITELLM_LOG=DEBUG.
    logs.quiet_libraries()
    # What the start made stays for the life of the process: no collection looks at it again.
    gc.freeze()
    gc.enable()
    # uvicorn raises the signal again when it has served what was in flight; by default that would be no orderly end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    protocol = service.blueprint.runtime.protocol
    port = settings.port or PORTS[protocol]
    if protocol == "HTTP":
        build_app(service).run(port=port, host=settings.host, log_config=None, **server_options())
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
    _make_observable(agent, settings)
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
    tracing = build_tracing(agent, settings.environment, os.environ, secrets)
    # Imported now, so that the snapshot holds it and no request waits for it.
    import strands  # noqa: F401

    logger.info("built")
    return AgentService(
        agent, source, Conversations(), tools=tools, output=output, guard=guard, secrets=secrets, tracing=tracing
    )


def _make_observable(agent: BundledAgent, settings: RuntimeSettings) -> None:
    plan, environment = agent.blueprint, settings.environment
    logging.getLogger("agent_runtime").setLevel(plan.observability.log_level)
    logs.describe(environment=environment, agent=plan.id, version=plan.version, bundle=agent.sha256)
    if plan.observability.enabled:
        metrics.configure(metrics.Dimensions(environment=environment, agent=plan.id, version=plan.version))


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
