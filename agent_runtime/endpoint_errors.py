"""From a failed call of a model's endpoint to exceptions that may be logged, traced and told to a caller.

`httpx` quotes requests, and endpoints quote keys. Strands logs and traces the text of what its model raises, so the
cleaning is done here, where the exception enters.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import httpx

from agent_runtime.failures import (
    BrokenAnswerError,
    CallRefusedError,
    KeyRefusedError,
    ModelTimeoutError,
)
from agent_runtime.gateway_limits import limit_of
from agent_runtime.providers.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_FORBIDDEN = (401, 403)
_TOO_MANY = 429
# A LiteLLM proxy without a database looks an unknown key up all the same, and says this with status 400.
_LITELLM_UNKNOWN_KEY = "no_db_connection"
_REDIRECTS = range(300, 400)
# How the providers behind such an endpoint word it; Strands' OpenAI model goes by the same words.
_RATE_LIMIT = re.compile(r"rate_limit_exceeded|rate limit|too many requests")
_CONTEXT_OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|context length|too many tokens|exceeds the max_model_len"
    r"|input is too long for requested model|input length and `max_tokens` exceed context limit"
    r"|too many total text bytes|exceed(?:s|ed)?(?: customer)? model maximum"
)


@contextmanager
def cleaned_errors() -> Iterator[None]:
    """Turns exceptions of reading an answer into clean ones.

    Raises:
        ModelTimeoutError: The endpoint did not answer in time.
        BrokenAnswerError: The answer broke off or cannot be read.
    """
    try:
        yield
    except (httpx.TimeoutException, TimeoutError):
        raise ModelTimeoutError("The model's endpoint did not answer in time.") from None
    except (httpx.TransportError, httpx.StreamError, httpx.DecodingError):
        raise BrokenAnswerError("The model's endpoint broke its answer off.") from None
    except (ValueError, RecursionError):
        raise BrokenAnswerError("The model's endpoint sent what is no chat completion.") from None


def raise_for_refusal(status: int, said: bytes, secrets: Iterable[str], key_name: str | None) -> NoReturn:
    """Raises what a status other than success means.

    Args:
        status: The HTTP status.
        said: The body.
        secrets: Values that must not be quoted.
        key_name: Name of the secret that holds the key, if one was sent.

    Raises:
        BudgetSpentError: The budget that the gateway counts is spent.
        LimitReachedError: A limit is reached whose owner the gateway names.
        KeyRefusedError: The endpoint does not take the key.
        ModelThrottledException: It limits the rate.
        ContextWindowOverflowException: The conversation is too long for the model.
        CallRefusedError: It refuses for another reason.
    """
    from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

    error = _error_of(said)
    if limit := limit_of(error, secrets):
        raise limit
    if status in _FORBIDDEN or error.get("type") == _LITELLM_UNKNOWN_KEY:
        sent = f"the key of secret {key_name}" if key_name else "a call without a key: name one in api_key_env"
        raise KeyRefusedError(f"The model's endpoint refuses {sent} (HTTP status {status}).")
    reason = ", a redirect, which is not followed: correct base_url"
    if status not in _REDIRECTS:
        reason = reason_of(status, error.get("message"), secrets)
    told = f"{error.get('code')} {reason}".lower()
    if status == _TOO_MANY or _RATE_LIMIT.search(told):
        raise ModelThrottledException(f"HTTP status {status}{reason}")
    if _CONTEXT_OVERFLOW.search(told):
        raise ContextWindowOverflowException(f"HTTP status {status}{reason}")
    raise CallRefusedError(f"The model's endpoint answered with HTTP status {status}{reason}.")


def raise_for_error_event(chunk: object) -> None:
    """Raises what an `error` in the middle of a stream means: the HTTP status was sent long before.

    Args:
        chunk: An event's data.

    Raises:
        ModelThrottledException: The endpoint limits the rate.
        BrokenAnswerError: It says anything else.
    """
    error = chunk.get("error") if isinstance(chunk, dict) else None
    if not error:
        return
    if isinstance(error, dict) and str(error.get("code")) in ("429", "rate_limit_exceeded"):
        from strands.types.exceptions import ModelThrottledException

        raise ModelThrottledException("rate limit")
    raise BrokenAnswerError("The model's endpoint broke its answer off with an error.")


def _error_of(said: bytes) -> Mapping[str, Any]:
    """The `error` of OpenAI's error body; nothing where the body is none."""
    try:
        body = json.loads(said)
    except (ValueError, RecursionError):
        return {}
    error = body.get("error", body) if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}
