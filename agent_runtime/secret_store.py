"""The agent's secrets, read from Secrets Manager when a request needs them.

Platform V2 restores every session from a snapshot of the started process, so nothing here reads a secret before the
first request, and no value outlives its time in the cache.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CACHE_SECONDS = 300.0

_ASSUMED_ROLE = re.compile(r"assumed-role/([^/\s]+)")
_SET = "`strandline secrets set {variable} --env {environment}`"
_DECRYPT = "grant kms:Decrypt on the secret's key to the role and deploy again"
_LATER = "Secrets Manager limits the rate of requests: try again later"
_MENDS = {
    "AccessDeniedException": "grant secretsmanager:GetSecretValue on it to the role and deploy again",
    "ResourceNotFoundException": f"it does not exist or has no value: set it with {_SET}",
    "DecryptionFailure": _DECRYPT,
    "InvalidRequestException": f"it is scheduled for deletion: restore it, then set it with {_SET}",
    "ThrottlingException": _LATER,
    "TooManyRequestsException": _LATER,
}


class SecretError(EnvironmentFault):
    """Raised when a secret cannot be used; names the secret and the role, never a value."""


class NoValueError(SecretError):
    """Raised when a secret does not exist, has no value yet, or an empty one."""


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret's value and the version that it is; the value never shows in a representation."""

    text: str
    version_id: str

    def __repr__(self) -> str:
        return f"SecretValue(version_id={self.version_id!r})"


class SecretStore:
    """Reads the values of an environment's secrets by the name of their variable; for any thread and event loop.

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
        self._client_lock = threading.Lock()
        self._values: dict[str, tuple[float, SecretValue]] = {}
        self._absent: dict[str, float] = {}
        self._reads: dict[str, Future[SecretValue]] = {}
        self._reads_lock = threading.Lock()
        # Starts no thread before the first read.
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="secrets")

    def name_of(self, variable: str) -> str:
        """The name in Secrets Manager of a variable's secret."""
        return self._prefix + variable

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
        # A request that is cancelled must not take the call away from those that share it.
        return await asyncio.shield(asyncio.wrap_future(self._shared_read(variable)))

    async def get_all(self, variables: Iterable[str]) -> dict[str, SecretValue]:
        """Gives the current values of several variables' secrets, read side by side.

        Args:
            variables: Names of the variables.

        Returns:
            The values by variable.

        Raises:
            SecretError: As for `get`.
        """
        names = list(dict.fromkeys(variables))
        return dict(zip(names, await asyncio.gather(*map(self.get, names)), strict=True))

    async def get_all_present(self, variables: Iterable[str]) -> dict[str, SecretValue]:
        """Gives the current values of those variables' secrets that have one.

        Args:
            variables: Names of the variables.

        Returns:
            The values by variable.

        Raises:
            SecretError: A secret cannot be read, for any other reason than that it has no value.
        """
        names = list(dict.fromkeys(variables))
        values = await asyncio.gather(*map(self._get_if_present, names))
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}

    def versions(self) -> dict[str, str]:
        """Tells which version of each secret is in use, by variable; never a value, and nothing before the first read."""
        return {variable: value.version_id for variable, (_, value) in sorted(self._values.items())}

    def forget(self, variable: str) -> None:
        """Makes the next request read this variable's secret again."""
        self._values.pop(variable, None)
        self._absent.pop(variable, None)

    async def _get_if_present(self, variable: str) -> SecretValue | None:
        if self._clock() < self._absent.get(variable, 0.0):
            return None
        try:
            return await self.get(variable)
        except NoValueError:
            self._absent[variable] = self._clock() + CACHE_SECONDS
            return None

    def _shared_read(self, variable: str) -> Future[SecretValue]:
        with self._reads_lock:
            read = self._reads.get(variable)
            if read is None:
                read = self._reads[variable] = self._threads.submit(self._read, variable)
            return read

    def _read(self, variable: str) -> SecretValue:
        expires = self._clock() + CACHE_SECONDS
        try:
            answer = self._fetch(variable)
            value = SecretValue(self._checked(variable, answer.get("SecretString")), answer["VersionId"])
            self._values[variable] = (expires, value)
            return value
        finally:
            with self._reads_lock:
                del self._reads[variable]

    def _fetch(self, variable: str) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        secret = self.name_of(variable)
        try:
            answer: dict[str, Any] = self._connected().get_secret_value(SecretId=secret)
        except ClientError as error:
            raise self._refused(variable, error.response["Error"]) from None
        except BotoCoreError as error:
            raise SecretError(
                f"Secret {secret} cannot be read: Secrets Manager cannot be reached ({type(error).__name__})."
            ) from None
        return answer

    def _connected(self) -> Any:
        with self._client_lock:
            if self._client is None:
                self._client = self._client_factory()
            return self._client

    def _refused(self, variable: str, error: dict[str, Any]) -> SecretError:
        code, said = str(error.get("Code", "unknown")), str(error.get("Message", ""))
        role = _ASSUMED_ROLE.search(said)
        who = f"role {role[1]}" if role else "this runtime's role"
        mend = _MENDS.get(code, "see the secret in Secrets Manager")
        if code == "AccessDeniedException" and "KMS" in said:
            mend = _DECRYPT
        kind = NoValueError if code == "ResourceNotFoundException" else SecretError
        return kind(f"Secret {self.name_of(variable)} cannot be read by {who} ({code}): {self._told(variable, mend)}.")

    def _checked(self, variable: str, text: object) -> str:
        """Refuses what can never be a key before a client turns it into a bare "Connection error."."""
        wrong = None
        trimmed = text.strip() if isinstance(text, str) else ""
        if not isinstance(text, str):
            wrong = "holds binary data"
        elif not trimmed:
            wrong = "is empty"
        elif any(character < " " or character > "~" for character in trimmed):
            wrong = "holds a line break, a control character or a character outside ASCII"
        if wrong:
            mend = self._told(variable, f"set it again with {_SET}")
            kind = NoValueError if isinstance(text, str) and not trimmed else SecretError
            raise kind(f"Secret {self.name_of(variable)} {wrong}: {mend}.")
        return trimmed

    def _told(self, variable: str, mend: str) -> str:
        return mend.format(variable=variable, environment=self._environment)
