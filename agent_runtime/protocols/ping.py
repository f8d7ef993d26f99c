"""AgentCore's health check, for the protocols whose servers have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from agent_runtime.health import Health


def ping_route(health: Health) -> Route:
    """Makes the route of `GET /ping`.

    Args:
        health: The state of this process.

    Returns:
        The route.
    """

    async def ping(_: Request) -> JSONResponse:
        return JSONResponse(health.status())

    return Route("/ping", ping, methods=["GET"])
