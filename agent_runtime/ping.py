"""The route of AgentCore's health check.

`/ping` has the two members of the contract and no more: AWS documents no others, and every session ends with a health
check that is refused. What an operator may want to know besides is at `/ping?details=1`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from agent_runtime.health import Health


def ping_route(health: Health, details: Callable[[], Mapping[str, Any]] = dict) -> Route:
    """Makes the route of `GET /ping`.

    Args:
        health: The state of this process.
        details: Gives what is told besides, to those who ask for it.

    Returns:
        The route.
    """

    async def ping(request: Request) -> JSONResponse:
        more = {"details": {**details()}} if "details" in request.query_params else {}
        return JSONResponse({**health.status(), **more})

    return Route("/ping", ping, methods=["GET"])
