"""From what a provider's library raises to exceptions that may be logged, traced and told to a caller.

Libraries quote the provider, and providers quote keys; Strands logs and traces the text of what its model raises. What
is known of an error is read from its attributes and its class's name, so that no provider's package is imported here.
The OpenAI-compatible client has a reader of its own, `agent_runtime.endpoint_errors`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from agent_runtime.errors import StrandlineError
from agent_runtime.failures import (
    BrokenAnswerError,
    CallRefusedError,
    KeyRefusedError,
    ModelTimeoutError,
    UnreachableError,
)
from agent_runtime.providers.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_runtime.providers.leases import Credentials

_TIMEOUTS = (
    "APITimeoutError",
    "ConnectTimeout",
    "PoolTimeout",
    "ReadTimeout",
    "Timeout",
    "TimeoutError",
    "TimeoutException",
)
_UNREACHABLE = ("APIConnectionError", "ConnectError", "TransportError")
_FORBIDDEN = (401, 403)
_TOO_MANY = 429
_LIBRARIES = ("anthropic", "google", "httpcore", "httpx", "json", "litellm", "openai")


@contextmanager
def cleaned_refusals(credentials: Credentials | None = None, key_name: str | None = None) -> Iterator[None]:
    """Turns a provider library's exceptions into clean ones.

    Args:
        credentials: Values that must not be quoted.
        key_name: Name of the secret that holds the key, if one was sent.

    Yields:
        Nothing.

    Raises:
        InvocationError: What the provider refused, in our words.
        ModelThrottledException: The provider limits the rate.
        ContextWindowOverflowException: The conversation is too long for the model.
    """
    try:
        yield
    except Exception as error:
        raise _clean(error, credentials.values if credentials else (), key_name) from None


def _clean(error: Exception, secrets: tuple[str, ...], key_name: str | None) -> Exception:
    if isinstance(error, StrandlineError):
        return error
    if isinstance(error, ContextWindowOverflowException):
        return ContextWindowOverflowException("The conversation is longer than the model's context window.")
    status = status_of(error)
    if isinstance(error, ModelThrottledException) or status == _TOO_MANY:
        return ModelThrottledException("The provider limits the rate of requests.")
    return _lost_connection(error) or _refusal(error, status, secrets, key_name)


def _refusal(error: Exception, status: int | None, secrets: tuple[str, ...], key_name: str | None) -> Exception:
    if status is None:
        known = type(error).__module__.partition(".")[0] in _LIBRARIES
        return BrokenAnswerError("The model's endpoint broke its answer off.") if known else error
    if status in _FORBIDDEN or _names_the_key(error):
        sent = f"the key of secret {key_name}" if key_name else "a call without a key: name one in api_key_env"
        return KeyRefusedError(f"The model's endpoint refuses {sent} (HTTP status {status}).")
    reason = reason_of(status, _said(error), secrets)
    return CallRefusedError(f"The model's endpoint answered with HTTP status {status}{reason}.")


def status_of(error: BaseException) -> int | None:
    """The HTTP status that a library's exception carries, under any of the names that they use."""
    for name in ("status_code", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int):
            return status
    return None


def _lost_connection(error: BaseException) -> Exception | None:
    step: BaseException | None = error
    # The library's own exception may stand for anything; what it was raised for tells.
    while step is not None:
        name = type(step).__name__
        if name in _TIMEOUTS:
            return ModelTimeoutError("The model's endpoint did not answer in time.")
        if name in _UNREACHABLE:
            return UnreachableError("The model's endpoint cannot be reached.")
        step = step.__cause__ or step.__context__
    return None


def _names_the_key(error: BaseException) -> bool:
    """Google answers 400 to a key that it does not know."""
    return "API_KEY_INVALID" in str(getattr(error, "details", ""))


def _said(error: BaseException) -> Any:
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, dict) else None
    return (inner if isinstance(inner, dict) else {}).get("message") or getattr(error, "message", None)
