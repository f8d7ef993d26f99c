"""The key that will follow the master key is taken in its place, because LiteLLM knows one master key.

A rotation makes the next key the present one. Tasks that began before it take both since they began, so that none of
them refuses the key that callers read, whenever they read it (`docs/rotation.md`).
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

MASTER_KEY = "LITELLM_MASTER_KEY"
NEXT_MASTER_KEY = f"{MASTER_KEY}_NEXT"

_BEARER = b"Bearer "
# "SpecialHeaders", LiteLLM: wherever it looks for a key.
_HEADERS = frozenset(
    {
        *(b"authorization", b"x-litellm-api-key", b"x-api-key", b"api-key"),
        *(b"x-goog-api-key", b"ocp-apim-subscription-key"),
    }
)


class NextMasterKey:
    """An ASGI middleware.

    Args:
        app: What it stands in front of.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._master = os.environ.get(MASTER_KEY, "").encode()
        self._next = os.environ.get(NEXT_MASTER_KEY, "").encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection, as ASGI has it."""
        if self._next and "headers" in scope:
            headers = [(name, self._translate(name, value)) for name, value in scope["headers"]]
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)

    def _translate(self, name: bytes, value: bytes) -> bytes:
        if name not in _HEADERS or not hmac.compare_digest(value.removeprefix(_BEARER), self._next):
            return value
        return _BEARER + self._master if value.startswith(_BEARER) else self._master
