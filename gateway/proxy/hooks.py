"""What the proxy does at our behest around each call: the object that `litellm_settings.callbacks` names.

LiteLLM may execute this file a second time under the same name, so it holds no state and nothing else imports it.
None of it waits: no file, no network, no lock. What the proxy's event loop waits for, every request waits for.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger

from gateway.proxy.exchange import Call, exchange
from gateway.proxy.middleware import ExchangeMiddleware
from gateway.proxy.parameters import dropped_parameters
from gateway.proxy.refusals import refusal_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litellm.caching.dual_cache import DualCache
    from litellm.proxy._types import UserAPIKeyAuth
    from litellm.types.utils import CallTypesLiteral

DROPPED_HEADER = "x-strandline-dropped-params"
TIER_FALLBACK_HEADER = "x-strandline-tier-fallback"

_FALLBACKS = "x-litellm-attempted-fallbacks"
# Of `model_info`: `tier` of gateway.yaml.
_TIER = "strandline_tier"


class Hooks(CustomLogger):
    """Our callbacks ("Call Hooks" and "Custom Callbacks", LiteLLM)."""

    async def async_pre_call_hook(
        self, user_api_key_dict: UserAPIKeyAuth, cache: DualCache, data: dict[str, Any], call_type: CallTypesLiteral
    ) -> None:
        """Notes who asks for what; a fallback asks for something else.

        Args:
            user_api_key_dict: Who called.
            cache: LiteLLM's own.
            data: The request.
            call_type: What kind of call it is.
        """
        _note_caller(data, user_api_key_dict)

    async def async_post_call_response_headers_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: UserAPIKeyAuth,
        response: object,
        request_headers: dict[str, str] | None = None,
        litellm_call_info: dict[str, object] | None = None,
    ) -> dict[str, str] | None:
        """Tells what LiteLLM does not: parameters that were left out, and that another model answered.

        Args:
            data: The request.
            user_api_key_dict: Who called.
            response: The answer, or the stream of one; nothing for a failure.
            request_headers: The request's headers.
            litellm_call_info: What answered.

        Returns:
            The headers.
        """
        if response is None:
            return None
        deployment = data.get("deployment")
        params = getattr(deployment, "litellm_params", None)
        dropped = dropped_parameters(data, params.model_dump(exclude_none=True)) if params is not None else ()
        hidden = getattr(response, "_hidden_params", None) or {}
        fell_back = _count((hidden.get("additional_headers") or {}).get(_FALLBACKS)) > 0
        is_weaker = fell_back and _is_weaker(data.get("model"), getattr(deployment, "model_info", None))
        if current := exchange.get():
            current.dropped, current.is_weaker = dropped, is_weaker
        headers = {DROPPED_HEADER: ",".join(dropped)} if dropped else {}
        return {**headers, TIER_FALLBACK_HEADER: "true"} if is_weaker else headers

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: UserAPIKeyAuth,
        traceback_str: str | None = None,
    ) -> None:
        """Notes why a request is refused; the middleware words it.

        Args:
            request_data: The request.
            original_exception: What LiteLLM raised.
            user_api_key_dict: Who called, as far as that is known.
            traceback_str: Where it was raised.
        """
        current = exchange.get()
        if current is None:
            return
        _note_caller(request_data, user_api_key_dict)
        current.failure = type(original_exception).__name__
        current.refusal = refusal_of(original_exception, user_api_key_dict, current.model, datetime.now(UTC))

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, start_time: datetime, end_time: datetime
    ) -> None:
        """Notes what an answer used.

        Args:
            kwargs: What LiteLLM knows of the call.
            response_obj: The answer.
            start_time: When the call began.
            end_time: When it ended.
        """
        current, payload = exchange.get(), kwargs.get("standard_logging_object")
        if current is None or not payload:
            return
        current.call_id = payload.get("litellm_call_id") or payload.get("id")
        current.call = Call(
            answered_by=payload.get("model"),
            prompt_tokens=_count(payload.get("prompt_tokens")),
            completion_tokens=_count(payload.get("completion_tokens")),
            cost_usd=float(payload.get("response_cost") or 0.0),
            from_cache=payload.get("cache_hit") is True,
        )
        if current.is_complete:
            current.tell()


def _note_caller(data: Mapping[str, Any], caller: UserAPIKeyAuth) -> None:
    current, model = exchange.get(), data.get("model")
    if current is not None and current.model is None:
        current.model = model if isinstance(model, str) else None
        current.owner, current.team = caller.key_alias, caller.team_alias or caller.team_id


def _is_weaker(asked: object, answered: object) -> bool:
    """Whether a fallback is to a weaker model; one whose tier is not told is taken for weaker."""
    from litellm.proxy.proxy_server import llm_router

    if llm_router is None:
        return True
    group = llm_router.model_group_alias.get(str(asked), asked)
    first = llm_router.get_deployment_by_model_group_name(str(group))
    tiers = [getattr(info, _TIER, None) for info in (first and first.model_info, answered)]
    return not (isinstance(tiers[0], int) and isinstance(tiers[1], int) and tiers[1] >= tiers[0])


def _count(told: object) -> int:
    return told if isinstance(told, int) else 0


def _install() -> None:
    """Puts the middleware in front of the proxy's application.

    The application has started when LiteLLM reads its configuration, and Starlette then takes no middleware any more.
    """
    from litellm.proxy.proxy_server import app

    stack = app.middleware_stack
    if stack is None:
        app.add_middleware(ExchangeMiddleware)
    elif not isinstance(stack, ExchangeMiddleware):
        app.middleware_stack = ExchangeMiddleware(stack)


_install()
hooks = Hooks()
