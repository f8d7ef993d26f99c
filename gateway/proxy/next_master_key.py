"""The key that will follow the master key is taken in its place, because LiteLLM knows one master key.

A rotation makes the next key the present one. Tasks that began before it take both since they began, so that none of
them refuses the key that callers read, whenever they read it (`docs/rotation.md`).
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from gateway.proxy.keys import BEARER, MASTER_KEY, read_key, read_next

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# "SpecialHeaders", LiteLLM: wherever it looks for a key.
_HEADERS = frozenset(
    {
        *(b"authorization", b"x-litellm-api-key", b"x-api-key", b"api-key"),
        *(b"x-goog-api-key", b"ocp-apim-subscription-key"),
    }
)


def take_next_master_key(app: ASGIApp) -> ASGIApp:
    """Lets the key that will follow the master key open what that opens.

    Args:
        app: The proxy.

    Returns:
        The proxy itself where no key follows: then no request is looked at.
    """
    following = read_next(MASTER_KEY)
    return NextMasterKey(app, read_key(MASTER_KEY), following) if following else app


class NextMasterKey:
    """An ASGI middleware.

    Args:
        app: What it stands in front of.
        master: The master key.
        following: The key that is taken in its place too.
    """

    def __init__(self, app: ASGIApp, master: bytes, following: bytes) -> None:
        self._app = app
        self._master = master
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection, as ASGI has it."""
        if "headers" in scope:
            headers = [(name, self._translate(name, value)) for name, value in scope["headers"]]
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)

    def _translate(self, name: bytes, value: bytes) -> bytes:
        if name not in _HEADERS or not hmac.compare_digest(value.removeprefix(BEARER), self._following):
            return value
        return BEARER + self._master if value.startswith(BEARER) else self._master
