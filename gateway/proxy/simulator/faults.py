"""What a provider does wrong, as LiteLLM would tell it of a real one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import httpx
from litellm.exceptions import APIConnectionError, InternalServerError, RateLimitError, Timeout

if TYPE_CHECKING:
    from gateway.proxy.simulator.model_request import ModelRequest
    from gateway.proxy.simulator.scenario import Fault

PROVIDER = "strandline"
_MOST_COUNTED = 10_000
_RATE_LIMITED = 429


class FaultCounter:
    """How often a fault has come already; counts are of this process, and the oldest are forgotten."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, int], int] = OrderedDict()
        # LiteLLM starts streams in threads.
        self._lock = threading.Lock()

    def is_due(self, fault: Fault, request: ModelRequest, rule: int) -> bool:
        """Tells whether the fault comes now, and counts it.

        Args:
            fault: The fault.
            request: The call of the model.
            rule: Index of the fault's rule.

        Returns:
            Whether it comes. When it has come as often as it may, it is left out once and begins anew.
        """
        if fault.times is None:
            return True
        key = (request.fingerprint, rule)
        with self._lock:
            count = self._counts.pop(key, 0)
            if count >= fault.times:
                return False
            self._counts[key] = count + 1
            if len(self._counts) > _MOST_COUNTED:
                self._counts.popitem(last=False)
        return True


def raise_refusal(fault: Fault, model: str) -> None:
    """Raises what a provider refuses a call with; returns for the faults that come later.

    Args:
        fault: The fault.
        model: The model that is called.

    Raises:
        RateLimitError: The provider limits the rate.
        InternalServerError: It fails.
    """
    if fault.type == "rate_limit":
        seconds = fault.retry_after_seconds
        headers = {} if seconds is None else {"retry-after": str(seconds)}
        response = httpx.Response(_RATE_LIMITED, headers=headers, request=httpx.Request("POST", "https://simulated"))
        raise RateLimitError(
            "simulated: the rate limit is reached", PROVIDER, model, response=response, headers=headers
        )
    if fault.type in ("server_error", "tier_fallback"):
        raise InternalServerError("simulated: the model fails", PROVIDER, model)


def timed_out(model: str) -> Exception:
    """What the end of the caller's patience looks like."""
    return Timeout("simulated: the model does not answer in time", model, PROVIDER)


def cut_off(model: str) -> Exception:
    """What the end of a stream looks like whose connection breaks."""
    return APIConnectionError("simulated: the connection to the model broke", PROVIDER, model)
