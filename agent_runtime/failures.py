"""From an exception to what the caller may see: a type, a sentence, an id that is also in the log.

    StrandlineError
    ├── SecretError                 a secret cannot be used (`agent_runtime.secret_reader`)
    └── InvocationError             one invocation cannot be answered
        ├── BadRequestError         the payload is none that the agent takes (400)
        │   └── PayloadTooLargeError    the body is too large (413)
        ├── KeyRefusedError         the model's endpoint refuses the key
        ├── CallRefusedError        it refuses the call for another reason
        ├── BudgetSpentError        the budget at the gateway is spent
        ├── LimitReachedError       a limit at the gateway is reached
        ├── ModelTimeoutError       it does not answer in time
        ├── UnreachableError        it cannot be reached
        ├── BrokenAnswerError       the endpoint broke off, or sent what is no answer
        └── NoAnswerError           the agent ended without an answer

Only the texts of these reach a caller. Libraries put keys and whole requests into the texts of their exceptions, so
those go nowhere, neither to the caller nor to the log.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from agent_runtime.errors import StrandlineError
from agent_runtime.events import ERROR, typed
from agent_runtime.secret_reader import SecretError

logger = logging.getLogger(__name__)

_BAD_REQUEST = 400
_TOO_LARGE = 413
_INTERNAL = 500
_BAD_GATEWAY = 502

_LONGEST_TRACE = 8000


class InvocationError(StrandlineError):
    """Raised when one invocation cannot be answered; its text is for the caller and holds no secret."""

    kind: ClassVar[str] = "internal_error"
    status: ClassVar[int] = _BAD_GATEWAY


class BadRequestError(InvocationError):
    """Raised when a caller's payload is not one that the agent takes."""

    kind = "bad_request"
    status = _BAD_REQUEST


class PayloadTooLargeError(BadRequestError):
    """Raised when a caller's payload has more bytes than the handler reads."""

    kind = "payload_too_large"
    status = _TOO_LARGE


class KeyRefusedError(InvocationError):
    """Raised when the model's endpoint does not take the key that it was sent."""

    kind = "model_key_refused"


class CallRefusedError(InvocationError):
    """Raised when the model's endpoint refuses a call, for another reason than the key."""

    kind = "model_refused"


class BudgetSpentError(InvocationError):
    """Raised when the budget is spent that the gateway counts for the agent; to ask again does not help."""

    kind = "model_budget_exceeded"


class LimitReachedError(InvocationError):
    """Raised when a limit of the rate is reached whose owner the gateway names."""

    kind = "model_throttled"


class ModelTimeoutError(InvocationError):
    """Raised when the model's endpoint does not answer in time."""

    kind = "model_timeout"


class UnreachableError(InvocationError):
    """Raised when the model's endpoint cannot be reached."""

    kind = "model_unreachable"


class BrokenAnswerError(InvocationError):
    """Raised when the model's endpoint breaks its answer off, or sends one that cannot be read."""

    kind = "model_answer_broken"


class NoAnswerError(InvocationError):
    """Raised when the agent came to its end without an answer."""

    kind = "no_answer"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed invocation as the caller sees it.

    Attributes:
        type: What kind of failure, for programs.
        message: What happened and what to do, for people; holds no secret.
        id: Finds the failure in the log.
        status: HTTP status of an answer that is not streamed.
    """

    type: str
    message: str
    id: str
    status: int

    def as_event(self) -> dict[str, Any]:
        """The failure as the body of an answer or an event of a stream."""
        return typed(ERROR, error={key: value for key, value in asdict(self).items() if key != "status"})


_UNREACHABLE = ("model_unreachable", "The model's endpoint cannot be reached.")
_THROTTLED = ("model_throttled", "The model's endpoint limits the rate of requests: try again later.")
_TIMEOUT = ("model_timeout", "The model's endpoint did not answer in time.")
# By name, so that no provider's package is imported for it.
_KNOWN = {
    "ModelThrottledException": _THROTTLED,
    "RateLimitError": _THROTTLED,
    "APITimeoutError": _TIMEOUT,
    "Timeout": _TIMEOUT,
    "ReadTimeoutError": _TIMEOUT,
    "APIConnectionError": _UNREACHABLE,
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
    "NoCredentialsError": ("model_refused", "The runtime has no credentials to call the model with."),
}
_OVERFLOW = "ContextWindowOverflowException"


def failure_of(error: BaseException) -> Failure:
    """Describes an exception to the caller, and logs it without the exception's own text.

    Args:
        error: What ended the invocation.

    Returns:
        What the caller may see.
    """
    kind, message, status = _describe(error)
    failure = Failure(type=kind, message=message, id=str(uuid.uuid4()), status=status)
    place = "".join(traceback.format_tb(error.__traceback__)) if status == _INTERNAL else ""
    logger.log(
        logging.ERROR if status >= _INTERNAL else logging.WARNING,
        "failure=<%s>, id=<%s>, exception=<%s> | %s%s",
        kind,
        failure.id,
        type(error).__name__,
        message,
        f"\n{place[-_LONGEST_TRACE:]}" if place else "",
        extra={"failure_id": failure.id},
    )
    return failure


def kind_and_status(error: BaseException) -> tuple[str, int]:
    """Tells what kind of failure an exception is, without a word of it.

    Args:
        error: What ended the invocation.

    Returns:
        The type and the HTTP status that the caller gets.
    """
    kind, _, status = _describe(error)
    return kind, status


def _describe(error: BaseException) -> tuple[str, str, int]:
    for step in _chain(error):
        if isinstance(step, InvocationError):
            return step.kind, str(step), step.status
        if isinstance(step, SecretError):
            return "secret_unavailable", str(step), _BAD_GATEWAY
        if type(step).__name__ == _OVERFLOW:
            return "context_overflow", "The conversation is longer than the model's context window.", _BAD_REQUEST
        if type(step).__name__ in _KNOWN:
            return *_KNOWN[type(step).__name__], _BAD_GATEWAY
    return _describe_refusal(error) or ("internal_error", "The agent failed; the log has the id.", _INTERNAL)


def _describe_refusal(error: BaseException) -> tuple[str, str, int] | None:
    """What a provider's client tells in attributes rather than in words."""
    for step in _chain(error):
        status, response = getattr(step, "status_code", None), getattr(step, "response", None)
        if isinstance(status, int):
            reason = getattr(step, "reason_without_secrets", "")
            return "model_refused", f"The model's endpoint answered with HTTP status {status}{reason}.", _BAD_GATEWAY
        if isinstance(response, dict) and isinstance(response.get("Error"), dict):
            code = response["Error"].get("Code", "unknown")
            return "model_refused", f"AWS refuses the call of the model ({code}).", _BAD_GATEWAY
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
