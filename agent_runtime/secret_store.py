"""The agent's secrets, read from Secrets Manager when a request needs them.

Platform V2 restores every session from a snapshot of the started process, so nothing here reads a secret before the
first request, and no value outlives its time in the cache.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE_SECONDS = 300.0

_ASSUMED_ROLE = re.compile(r"assumed-role/([^/\s]+)")
_MENDS = {
    "AccessDeniedException": "grant secretsmanager:GetSecretValue on it to the role and deploy again",
    "ResourceNotFoundException": "set it with `strandline secrets set {variable} --env {environment}`",
    "DecryptionFailure": "grant kms:Decrypt on the secret's key to the role",
    "InvalidRequestException": "it is scheduled for deletion: restore it and set it again",
}


class SecretError(EnvironmentFault):
    """Raised when a secret cannot be used; names the secret and the role, never a value."""


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret's value and the version that it is; the value never shows in a representation."""

    text: str
    version_id: str

    def __repr__(self) -> str:
        return f"SecretValue(version_id={self.version_id!r})"


class SecretStore:
    """Reads the values of an environment's secrets by the name of their variable.

    Args:
        prefix: What stands before the variable in the secret's name, such as `strandline/production/`.
        environment: Name of the environment, for the messages.
        client_factory: Makes the Secrets Manager client at the first read.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        prefix: str,
        environment: str,
        client_factory: Callable[[], Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = prefix
        self._environment = environment
        self._client_factory = client_factory
        self._clock = clock
        self._client: Any = None
        self._values: dict[str, tuple[float, SecretValue]] = {}
        self._reads: dict[str, asyncio.Task[SecretValue]] = {}

    async def get(self, variable: str) -> SecretValue:
        """Gives the current value of a variable's secret.

        Concurrent requests for one variable share one call.

        Args:
            variable: Name of the variable, such as `OPENAI_API_KEY`.

        Returns:
            The value, at most `CACHE_SECONDS` old.

        Raises:
            SecretError: Secrets Manager refuses, or the value cannot be a key.
        """
        known = self._values.get(variable)
        if known and self._clock() < known[0]:
            return known[1]
        read = self._reads.get(variable)
        if read is None:
            read = asyncio.create_task(self._read(variable))
            self._reads[variable] = read
            read.add_done_callback(lambda _: self._reads.pop(variable, None))
        return await asyncio.shield(read)

    def forget(self, variable: str) -> None:
        """Makes the next request read this variable's secret again."""
        self._values.pop(variable, None)

    async def _read(self, variable: str) -> SecretValue:
        answer = await asyncio.to_thread(self._fetch, variable)
        text = _checked(self._prefix + variable, answer.get("SecretString"))
        value = SecretValue(text=text, version_id=answer["VersionId"])
        self._values[variable] = (self._clock() + CACHE_SECONDS, value)
        return value

    def _fetch(self, variable: str) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        secret = self._prefix + variable
        try:
            if self._client is None:
                self._client = self._client_factory()
            answer: dict[str, Any] = self._client.get_secret_value(SecretId=secret)
        except ClientError as error:
            raise self._refused(variable, error.response["Error"]) from None
        except BotoCoreError as error:
            raise SecretError(
                f"Secrets Manager cannot be reached for secret {secret} ({type(error).__name__})."
            ) from None
        return answer

    def _refused(self, variable: str, error: dict[str, Any]) -> SecretError:
        secret = self._prefix + variable
        code = str(error.get("Code", "unknown"))
        role = _ASSUMED_ROLE.search(str(error.get("Message", "")))
        who = f"role {role[1]}" if role else "this runtime's role"
        mend = _MENDS.get(code, "see the secret in Secrets Manager").format(
            variable=variable, environment=self._environment
        )
        return SecretError(f"Secret {secret} cannot be read by {who} ({code}): {mend}.")


def _checked(secret: str, text: object) -> str:
    """Refuses what can never be a key before a client turns it into a bare "Connection error."."""
    if not isinstance(text, str):
        raise SecretError(f"Secret {secret} holds binary data: set it again as text.")
    trimmed = text.strip()
    if not trimmed:
        raise SecretError(f"Secret {secret} is empty: set it with `strandline secrets set`.")
    if any(character < " " or character > "~" for character in trimmed):
        raise SecretError(f"Secret {secret} holds a line break or a character outside ASCII: set it again.")
    return trimmed
