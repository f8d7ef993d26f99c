"""From an exception to what the caller may see: a type, a sentence, an id that is also in the log."""

from __future__ import annotations

import logging
import re
import traceback
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from agent_runtime.errors import StrandlineError
from agent_runtime.secret_store import SecretError

logger = logging.getLogger(__name__)

_BAD_REQUEST = 400
_BAD_GATEWAY = 502
_INTERNAL = 500

_ABOUT_THE_REQUEST = {400, 404, 413, 422}
_LONGEST_REASON = 500
# What keys look like, and anything long without a space in it.
_KEY_LIKE = re.compile(r"(?i)bearer\s+\S+|\b(?:sk|pk|key)-\S+|[A-Za-z0-9_\-+/=]{32,}")

_UNREACHABLE = ("model_unreachable", "The model's endpoint cannot be reached.", _BAD_GATEWAY)
# By name, so that no provider's package is imported for it.
_KNOWN = {
    "ModelThrottledException": (
        "model_throttled",
        "The model's endpoint limits the rate of requests: try again later.",
        _BAD_GATEWAY,
    ),
    "ContextWindowOverflowException": (
        "context_overflow",
        "The conversation is longer than the model's context window.",
        _BAD_REQUEST,
    ),
    "APITimeoutError": ("model_timeout", "The model's endpoint did not answer in time.", _BAD_GATEWAY),
    "APIConnectionError": _UNREACHABLE,
    "EndpointConnectionError": _UNREACHABLE,
}


class BadRequestError(StrandlineError):
    """Raised when a caller's payload is not one that the agent takes."""


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
        """The failure as a member of an answer or an event of a stream."""
        return {"error": {key: value for key, value in asdict(self).items() if key != "status"}}


def failure_of(error: BaseException) -> Failure:
    """Describes an exception to the caller, and logs it without the exception's own text.

    Libraries put keys and whole requests into the text of their exceptions, so it goes nowhere.

    Args:
        error: What ended the invocation.

    Returns:
        What the caller may see.
    """
    kind, message, status = _describe(error)
    failure = Failure(type=kind, message=message, id=str(uuid.uuid4()), status=status)
    place = "".join(traceback.format_tb(error.__traceback__)) if status == _INTERNAL else ""
    logger.error(
        "failure=<%s>, id=<%s>, exception=<%s> | %s%s",
        kind,
        failure.id,
        type(error).__name__,
        message,
        f"\n{place}"[:8000],
    )
    return failure


def _describe(error: BaseException) -> tuple[str, str, int]:
    if isinstance(error, BadRequestError):
        return "bad_request", str(error), _BAD_REQUEST
    if isinstance(error, SecretError):
        return "secret_unavailable", str(error), _BAD_GATEWAY
    return _describe_model_error(error) or ("internal_error", "The agent failed; the log has the id.", _INTERNAL)


def _describe_model_error(error: BaseException) -> tuple[str, str, int] | None:
    chain = _chain(error)
    for step in chain:
        if type(step).__name__ in _KNOWN:
            return _KNOWN[type(step).__name__]
    for step in chain:
        status = getattr(step, "status_code", None)
        if isinstance(status, int):
            return (
                "model_refused",
                f"The model's endpoint answered with HTTP status {status}{_reason(step)}",
                _BAD_GATEWAY,
            )
    return None


def _reason(error: BaseException) -> str:
    """The endpoint's own words, where they are about the request; about a key they may quote the key."""
    body = getattr(error, "body", None)
    said = body.get("message") if isinstance(body, dict) else None
    if getattr(error, "status_code", 0) not in _ABOUT_THE_REQUEST or not isinstance(said, str):
        return "."
    return f": {_KEY_LIKE.sub('***', said)[:_LONGEST_REASON]}"


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
