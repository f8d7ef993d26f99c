"""A provider's client for as long as its secrets stay the same.

A rotation replaces the client without touching the requests in flight: the old client is closed when its last request
has ended.
"""

from __future__ import annotations

import logging
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from agent_runtime.failures import KeyRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    from agent_runtime.secret_store import SecretStore

logger = logging.getLogger(__name__)

Client = TypeVar("Client")
Event = TypeVar("Event")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client proves itself with; no value shows in a representation.

    Attributes:
        key: The key, if the blueprint names one.
        headers: Extra headers that have a value.
        versions: Versions of the secrets that these are, by variable.
    """

    key: str | None
    headers: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def values(self) -> tuple[str, ...]:
        """All values, for whoever must not quote them."""
        return (*([self.key] if self.key else []), *self.headers.values())

    def __repr__(self) -> str:
        return f"Credentials(versions={self.versions!r})"


class CredentialReader:
    """Reads the secrets that a blueprint's `model` names.

    Args:
        secrets: Where the values come from.
        api_key_env: Variable whose secret is the key.
        extra_headers_env: Header name to the variable whose secret is its value.
    """

    def __init__(self, secrets: SecretStore, api_key_env: str | None, extra_headers_env: Mapping[str, str]) -> None:
        self._secrets = secrets
        self._key = api_key_env
        self._headers = dict(extra_headers_env)
        secrets.register([api_key_env] if api_key_env else [], optional=self._headers.values())

    @property
    def key_name(self) -> str | None:
        """Name of the secret that holds the key."""
        return self._secrets.name_of(self._key) if self._key else None

    async def read(self) -> Credentials:
        """Reads the current values; a header without a value is left out.

        Raises:
            SecretError: A secret cannot be read, or the key has no value.
        """
        values = await self._secrets.get_all([self._key] if self._key else [], optional=self._headers.values())
        headers = {}
        for header, variable in self._headers.items():
            if variable in values:
                headers[header] = values[variable].text
            else:
                logger.debug("header=<%s>, variable=<%s> | has no value and is not sent", header, variable)
        return Credentials(
            key=values[self._key].text if self._key else None,
            headers=headers,
            versions={variable: value.version_id for variable, value in values.items()},
        )

    async def reread(self, refused: Credentials) -> Credentials:
        """Reads the values again after a provider refused these.

        Raises:
            SecretError: As for `read`.
        """
        await self._secrets.reread(refused.versions)
        return await self.read()


class LeasedClients(Generic[Client]):
    """Lends the client of the current secrets.

    Args:
        reader: Where key and headers come from.
        make: Makes a client.
        close: Closes one.
    """

    def __init__(
        self,
        reader: CredentialReader,
        make: Callable[[Credentials], Client],
        close: Callable[[Client], Awaitable[None]],
    ) -> None:
        self.reader = reader
        self._make = make
        self._close = close
        self._current: Lease[Client] | None = None

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease[Client]]:
        """Lends the client for one request; it stays open until the request has ended.

        Raises:
            SecretError: A secret cannot be read.
        """
        credentials = await self.reader.read()
        replaced = None
        if self._current is None or self._current.credentials.versions != credentials.versions:
            replaced, self._current = self._current, Lease(self._make(credentials), credentials)
        lease = self._current
        lease.requests += 1
        try:
            await self._retire(replaced)
            yield lease
        finally:
            lease.requests -= 1
            await self._close_if_done(lease)

    async def renewed(self, lease: Lease[Client]) -> bool:
        """Tells whether the secrets are others by now than those that were refused."""
        return (await self.reader.reread(lease.credentials)).versions != lease.credentials.versions

    async def stream(self, run: Callable[[Lease[Client]], AsyncGenerator[Event]]) -> AsyncGenerator[Event]:
        """Runs a stream with the current client, and once more if its key was replaced meanwhile.

        Args:
            run: Starts the stream.

        Yields:
            The stream's events.

        Raises:
            KeyRefusedError: The provider refuses the newest key too.
        """
        for is_last in (False, True):
            begun = False
            async with self.lease() as lease:
                try:
                    async with aclosing(run(lease)) as events:
                        async for event in events:
                            begun = True
                            yield event
                    return
                except KeyRefusedError:
                    if begun or is_last or not await self.renewed(lease):
                        raise

    async def close(self) -> None:
        """Closes the client, for a host that outlives the agent; the next request makes a new one."""
        replaced, self._current = self._current, None
        await self._retire(replaced)

    async def _retire(self, lease: Lease[Client] | None) -> None:
        if lease is not None:
            lease.replaced = True
            await self._close_if_done(lease)

    async def _close_if_done(self, lease: Lease[Client]) -> None:
        if lease.replaced and not lease.requests:
            try:
                await self._close(lease.client)
            except Exception as error:
                # Nothing of a request depends on it any more.
                logger.warning("exception=<%s> | a replaced client could not be closed", type(error).__name__)


@dataclass(eq=False, slots=True)
class Lease(Generic[Client]):
    """A client with the credentials that it was made of.

    Attributes:
        client: The client.
        credentials: Key and headers.
        requests: Requests that use it now.
        replaced: Whether no further request will.
    """

    client: Client
    credentials: Credentials
    requests: int = 0
    replaced: bool = False
