"""Who may call a proxy that has no database: `custom_auth` of LiteLLM's `general_settings`.

LiteLLM itself knows one key there, the master key, so every agent would hold the key that opens the admin routes, and
a wrong key would be answered with 400. Here the environment's own key opens inference and nothing else.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from litellm.proxy._types import LitellmUserRoles, ProxyException, UserAPIKeyAuth
from litellm.proxy.auth.auth_utils import get_request_route

from gateway.proxy.keys import BEARER, INFERENCE_KEY, MASTER_KEY, read_key, read_next
from gateway.proxy.paths import is_inference
from gateway.proxy.refusals import UNKNOWN_KEY

if TYPE_CHECKING:
    from starlette.requests import Request

_MASTER = read_key(MASTER_KEY)
_INFERENCE = [read_key(INFERENCE_KEY), read_next(INFERENCE_KEY)]


async def authenticate(request: Request, api_key: str | None) -> UserAPIKeyAuth:
    """Tells who calls, by the key ("Custom Auth", LiteLLM).

    Args:
        request: The request.
        api_key: The key as it was sent, or nothing.

    Returns:
        The caller, without the key.

    Raises:
        ProxyException: The key is none that is known (401), or may not open this path (403).
    """
    sent = (api_key or "").encode().removeprefix(BEARER)
    # Every comparison is always made, so that the time of an answer tells nothing of any key.
    is_master, is_next_or_present = _same(sent, _MASTER), [_same(sent, key) for key in _INFERENCE]
    if is_master:
        return UserAPIKeyAuth(key_alias=MASTER_KEY, user_role=LitellmUserRoles.PROXY_ADMIN)
    if not any(is_next_or_present):
        raise ProxyException(
            message="The gateway does not know this API key.",
            type="invalid_request_error",
            param=None,
            code=401,
            openai_code=UNKNOWN_KEY,
        )
    path = get_request_route(request)
    if not is_inference(path):
        raise ProxyException(
            message="This API key is for inference only.", type="permission_denied", param=None, code=403
        )
    return UserAPIKeyAuth(key_alias=INFERENCE_KEY, user_role=LitellmUserRoles.INTERNAL_USER)


def _same(sent: bytes, key: bytes) -> bool:
    return bool(key) and hmac.compare_digest(sent, key)
