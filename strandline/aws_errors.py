"""What AWS refuses, told as one of our own errors: by its code, because AWS's own words may quote what was sent."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.exceptions import ClientError

_NOT_FOUND = "ResourceNotFoundException"


@contextmanager
def told(
    service: str, refusal: str, *, hint: str = "", absent: str | None = None, in_full: bool = False
) -> Iterator[None]:
    """Turns what boto3 raises inside into an error for a person.

    Args:
        service: The service's name, for when nobody answers.
        refusal: What was refused; the code follows it in parentheses.
        hint: What mends it; follows the code.
        absent: The message where the thing is not there; without it that is a refusal like any other.
        in_full: Whether AWS's own words follow the code: only where nothing but names is sent.

    Yields:
        Nothing.

    Raises:
        InputError: The thing is not there.
        EnvironmentFault: The service refuses, or cannot be reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if absent is not None and code == _NOT_FOUND:
            raise InputError(absent) from None
        words = str(error.response["Error"].get("Message", "")).rstrip(".") if in_full else ""
        reason = f"{code}: {words}" if words else code
        raise EnvironmentFault(f"{refusal} ({reason}){hint}.") from None
    except (ConnectionError, HTTPClientError) as error:
        raise EnvironmentFault(f"{service} cannot be reached ({type(error).__name__}).") from None
    except BotoCoreError as error:  # no credentials, no such profile: nothing was sent
        raise EnvironmentFault(f"{refusal} ({type(error).__name__}){hint}.") from None


def code_of(error: ClientError) -> str:
    """Gives the code of what AWS refused, such as `AccessDenied`."""
    return str(error.response["Error"].get("Code", "unknown"))
