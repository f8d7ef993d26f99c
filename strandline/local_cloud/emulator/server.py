# mypy: disable-error-code="import-not-found"

"""The emulator's process: MiniStack's application with our paths beside it, and the end of it all."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import ministack.app as ministack
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from . import mends, roles
from .addresses import AddressBook
from .agentcore import dataplane
from .agentcore.sessions import SessionManager
from .balancer.listeners import Balancers
from .balancer.targets import TargetHealth
from .cloudformation import registry
from .containers import engine
from .context import Context
from .processes import Supervisor
from .roles import CredentialVendor
from .services import monitor, rotation
from .status import snapshot

if TYPE_CHECKING:
    from .settings import Settings

logger = logging.getLogger("strandline")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_GRACE_SECONDS = 2.0


def serve(settings: Settings) -> int:
    """Serve until a signal; afterwards nothing of this cloud runs any more."""
    context = build_context(settings)
    mends.apply()
    engine.install(context)
    monitor.install(context)
    rotation.install()
    dataplane.install(context)
    registry.install(context)
    context.balancers.install()
    loop = asyncio.new_event_loop()
    code = 1
    try:
        loop.run_until_complete(_run(context))
        code = 0
    except Exception:
        logger.exception("port=<%s> | the emulator ends", settings.port)
    context.supervisor.close(_GRACE_SECONDS)
    sys.stdout.flush()
    # All state has been written. Closing the loop would wait for threads that wait for processes which are gone.
    os._exit(code)


def build_context(settings: Settings) -> Context:
    """Put the parts together."""
    supervisor = Supervisor(settings.marker())
    vendor = CredentialVendor(settings.url)
    addresses = AddressBook(settings.port)
    return Context(
        settings=settings,
        supervisor=supervisor,
        vendor=vendor,
        addresses=addresses,
        sessions=SessionManager(settings, supervisor, vendor),
        balancers=Balancers(addresses),
        target_health=TargetHealth(settings.limits.health_scale),
    )


async def _run(context: Context) -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{context.settings.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = _GRACE_SECONDS
    config.loglevel = "WARNING"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    context.start_background(loop)
    await hypercorn_serve(_application(context), config, shutdown_trigger=stop.wait)


def _application(context: Context) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """MiniStack's application; paths below `/_strandline/` are ours."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/_strandline/"):
            status, body = await asyncio.to_thread(_answer, context, scope)
            await _reply(send, status, body)
        else:
            await ministack.app(scope, receive, send)

    return application


def _answer(context: Context, scope: Scope) -> tuple[int, Any]:
    path = scope["path"]
    if path == "/_strandline/health":
        return 200, {"cloud_id": context.settings.cloud_id}
    if path == "/_strandline/status":
        return 200, snapshot(context)
    if path.startswith(roles.PATH):
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        credentials = context.vendor.answer(path, headers.get(b"authorization", ""))
        return (200, credentials) if credentials else (403, {"message": "not the token of this task or session"})
    return 404, {"message": f"{path} is not known"}


async def _reply(send: Send, status: int, body: Any) -> None:
    data = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
