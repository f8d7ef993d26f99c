"""From what the `openai` client raises to exceptions that may be logged, traced and told to a caller.

The client's exceptions quote the endpoint, and endpoints quote keys. Strands logs and traces the text of what its model
raises, so the cleaning is done here, where the exception enters.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import openai

from agent_runtime.failures import BrokenAnswerError, KeyRefusedError
from agent_runtime.providers.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FORBIDDEN = (401, 403)
# A LiteLLM proxy without a database looks an unknown key up all the same, and says this with status 400.
_LITELLM_UNKNOWN_KEY = "no_db_connection"
_REDIRECTS = range(300, 400)


@contextmanager
def cleaned_errors(secrets: Iterable[str], key_name: str | None) -> Iterator[None]:
    """Turns the client's exceptions into clean ones.

    Args:
        secrets: Values that must not be quoted.
        key_name: Name of the secret that holds the key, if one was sent.

    Yields:
        Nothing.

    Raises:
        KeyRefusedError: The endpoint does not take the key.
        BrokenAnswerError: The answer broke off or cannot be read.
        openai.APIError: Anything else, with a text that is ours.
    """
    try:
        yield
    except openai.APIStatusError as error:
        raise _clean_status_error(error, tuple(secrets), key_name) from None
    except (openai.APITimeoutError, httpx.TimeoutException, TimeoutError):
        raise openai.APITimeoutError(_NO_REQUEST) from None
    except openai.APIResponseValidationError:
        raise BrokenAnswerError("The model's endpoint sent what is no chat completion.") from None
    except openai.APIConnectionError:
        raise openai.APIConnectionError(request=_NO_REQUEST) from None
    except openai.APIError as error:
        raise _error_in_stream(error) from None
    except httpx.TransportError:
        raise BrokenAnswerError("The model's endpoint broke its answer off.") from None
    except json.JSONDecodeError:
        raise BrokenAnswerError("The model's endpoint sent what is no chat completion.") from None


# The client's exceptions want the request, and the request holds the key.
_NO_REQUEST = httpx.Request("POST", "https://model.invalid/")


def _clean_status_error(error: openai.APIStatusError, secrets: tuple[str, ...], key_name: str | None) -> Exception:
    status = error.status_code
    if status in _FORBIDDEN or error.type == _LITELLM_UNKNOWN_KEY:
        sent = f"the key of secret {key_name}" if key_name else "a call without a key: name one in api_key_env"
        return KeyRefusedError(f"The model's endpoint refuses {sent} (HTTP status {status}).")
    reason = _reason(error, secrets)
    response = httpx.Response(status, request=_NO_REQUEST)
    # Strands tells by status, code and text whether the rate or the context window is exceeded.
    code = error.code if error.code in ("rate_limit_exceeded", "context_length_exceeded") else None
    clean = type(error)(f"HTTP status {status}{reason}", response=response, body={"code": code})
    clean.reason_without_secrets = reason  # type: ignore[attr-defined]
    return clean


def _error_in_stream(error: openai.APIError) -> Exception:
    """An `error` event in the stream: the HTTP status was sent long before."""
    if error.code in ("429", "rate_limit_exceeded"):
        return openai.RateLimitError(
            "rate limit", response=httpx.Response(429, request=_NO_REQUEST), body={"code": "rate_limit_exceeded"}
        )
    return BrokenAnswerError("The model's endpoint broke its answer off with an error.")


def _reason(error: openai.APIStatusError, secrets: tuple[str, ...]) -> str:
    """The endpoint's own words where they are about the request, unless they quote a secret."""
    if error.status_code in _REDIRECTS:
        return ", a redirect, which is not followed: correct base_url"
    body: Any = error.body
    return reason_of(error.status_code, body.get("message") if isinstance(body, dict) else None, secrets)
