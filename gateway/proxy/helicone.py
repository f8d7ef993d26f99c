"""Tells Helicone of each call ("Manual Logger - cURL", Helicone).

LiteLLM 1.102.4 has a callback of that name, which inside the proxy tells nobody of anything: it cannot write the key's
owner as JSON, and says so at DEBUG only.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from litellm._logging import verbose_proxy_logger
from litellm.integrations.custom_logger import CustomLogger
from litellm.llms.custom_httpx.http_handler import get_async_httpx_client, httpxSpecialProvider

if TYPE_CHECKING:
    from datetime import datetime

_PATH = "/custom/v1/log"
_ANY_MODEL = "custom-model-nopath"


class Helicone(CustomLogger):
    """A callback that LiteLLM runs beside the requests, after each answer ("Custom Callbacks", LiteLLM)."""

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, start_time: datetime, end_time: datetime
    ) -> None:
        """Sends what LiteLLM tells every service: without prompts and answers unless `callbacks.content` is set.

        Args:
            kwargs: What LiteLLM knows of the call.
            response_obj: The answer.
            start_time: When the call began.
            end_time: When it ended.
        """
        call = kwargs.get("standard_logging_object")
        if not call:
            return
        try:
            client = get_async_httpx_client(llm_provider=httpxSpecialProvider.LoggingCallback)
            await client.post(
                os.environ["HELICONE_API_BASE"].rstrip("/") + _PATH,
                headers={
                    "Authorization": f"Bearer {os.environ['HELICONE_API_KEY']}",
                    "Content-Type": "application/json",
                },
                data=json.dumps(_log(call), default=str),
            )
        except Exception as error:
            # Its text may hold the request, and with it the key.
            verbose_proxy_logger.warning("helicone was not told of a call: %s", type(error).__name__)


def _log(call: dict[str, Any]) -> dict[str, Any]:
    about = call.get("metadata") or {}
    owner = {
        "Helicone-User-Id": about.get("user_api_key_alias"),
        "Helicone-Property-Team": about.get("user_api_key_team_alias"),
        "Helicone-Property-Model": call.get("model_group"),
    }
    answer = call.get("response")
    return {
        "providerRequest": {
            "url": _ANY_MODEL,
            "json": {"model": call.get("model"), "messages": call.get("messages")},
            "meta": {name: value for name, value in owner.items() if value},
        },
        "providerResponse": {
            "json": {
                **(answer if isinstance(answer, dict) else {}),
                "usage": {
                    "prompt_tokens": call.get("prompt_tokens"),
                    "completion_tokens": call.get("completion_tokens"),
                    "total_tokens": call.get("total_tokens"),
                },
            },
            "status": 200,
            "headers": {},
        },
        "timing": {"startTime": _moment(call["startTime"]), "endTime": _moment(call["endTime"])},
    }


def _moment(seconds: float) -> dict[str, int]:
    return {"seconds": int(seconds), "milliseconds": int(seconds % 1 * 1000)}


helicone = Helicone()
