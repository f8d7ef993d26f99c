"""A key of the gateway itself, which its tasks read when they start.

By two keys, of which each task takes both: the present one and the one that follows it (`FollowedKey`).

    the next key, which each task knows since it began   -> is staged, and made the present one
    callers read the present key                         -> every task takes it, whenever it began
    all callers have read it                             -> another next key; new tasks, which forget the old one

So at no moment there is a task that refuses the key that callers read. A key that no program calls with is swapped
(`SwappedKey`). LiteLLM's `/key/regenerate` has no part in it: with a salt key, the models that its database holds are
gone after it.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .virtual_keys import new_key

if TYPE_CHECKING:
    import datetime as dt

    from .gateway_tasks import GatewayTasks
    from .secret_versions import Labels, SecretVersions

NEXT_SUFFIX = "_NEXT"
"""What the name of the secret with the next key ends in, after that of the present one."""


class NoValue(Exception):
    """Raised when a key has no value: its secrets were not deployed."""


class OwnKey(ABC):
    """One of the gateway's own keys."""

    @abstractmethod
    def following(self) -> str:
        """The key that is to be staged."""

    @abstractmethod
    def is_next(self, value: str) -> bool:
        """Whether a staged value is one that tasks take, or will."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether callers may be given the staged value now."""

    @abstractmethod
    def prepare(self, remaining: Callable[[], float], progress: Callable[[str], None] = lambda _: None) -> None:
        """Sees that callers may be given the staged value.

        Args:
            remaining: Seconds that are left to wait.
            progress: Told what is waited for.

        Raises:
            NewTasksFail: New tasks do not become healthy, or not in time.
        """

    @abstractmethod
    def is_settled(self) -> bool:
        """Whether what callers hold from before the present key is of no matter any more."""

    @abstractmethod
    def settle(self, remaining: Callable[[], float], progress: Callable[[str], None] = lambda _: None) -> None:
        """Sees that no task takes a key that went before the present one; safe to repeat, and for two at a time.

        Args:
            remaining: Seconds that are left to wait.
            progress: Told what is waited for.

        Raises:
            NewTasksFail: New tasks do not become healthy, or not in time.
        """


class FollowedKey(OwnKey):
    """A key that programs call with, with the one that follows it.

    Args:
        client: A client of Secrets Manager.
        key: Versions of the secret with the present key, which callers read.
        following: Versions of the secret with the next key.
        tasks: The gateway's tasks.
    """

    def __init__(self, client: Any, key: SecretVersions, following: SecretVersions, tasks: GatewayTasks) -> None:
        self._client = client
        self._key = key
        self._following = following
        self._tasks = tasks

    def following(self) -> str:
        """The next key; another one where callers use it already, because a rotation was cut off."""
        self._renew()
        return self._next()

    def is_next(self, value: str) -> bool:
        """Whether it is the next key, which tasks take."""
        return value == self._next()

    def is_ready(self) -> bool:
        """Whether every task takes the next key: it began after that was made."""
        return self._tasks.began_after(self._known_since())

    def prepare(self, remaining: Callable[[], float], progress: Callable[[str], None] = lambda _: None) -> None:
        """Replaces tasks that do not take the next key; see the base class."""
        self._tasks.replace_older(self._known_since(), remaining, progress)

    def is_settled(self) -> bool:
        """Whether another key follows the present one already."""
        return not self.is_next(_value(self._key, self._key.labels()))

    def settle(self, remaining: Callable[[], float], progress: Callable[[str], None] = lambda _: None) -> None:
        """Makes another next key where callers use this one, and new tasks; see the base class."""
        self._renew()
        self.prepare(remaining, progress)

    def _known_since(self) -> dt.datetime:
        made = self._following.made_at()
        if made is None:
            raise NoValue(f"{self._following.secret} has no value: deploy the environment first")
        return made

    def _next(self) -> str:
        return _value(self._following, self._following.labels())

    def _renew(self) -> None:
        before = self._following.labels().current
        if self.is_settled():
            return
        # One version follows a version: of two who come here at once, Secrets Manager takes one's key.
        token = hashlib.sha256(f"{before} is followed".encode()).hexdigest()
        try:
            self._client.put_secret_value(
                SecretId=self._following.secret, SecretString=new_key(), ClientRequestToken=token
            )
        except self._client.exceptions.ResourceExistsException:
            return


class SwappedKey(OwnKey):
    """A key that operators call with: a new one, and new tasks that take it; until they are there, some take the old.

    Args:
        key: Versions of its secret.
        tasks: The gateway's tasks.
    """

    def __init__(self, key: SecretVersions, tasks: GatewayTasks) -> None:
        self._key = key
        self._tasks = tasks

    def following(self) -> str:
        """A new key."""
        return new_key()

    def is_next(self, value: str) -> bool:
        """Whatever is staged."""
        return bool(value)

    def is_ready(self) -> bool:
        """At any time: no task knows it before it is the present key."""
        return True

    def prepare(self, remaining: Callable[[], float], progress: Callable[[str], None] = lambda _: None) -> None:
        """Nothing; see the base class."""

    def is_settled(self) -> bool:
        """At once: operators read it each time."""
        return True

    def settle(self, remaining: Callable[[], float], progress: Callable[[str], None] = lambda _: None) -> None:
        """Replaces tasks that began before it was made the present one; see the base class."""
        self._tasks.replace_older(self._key.changed_at(), remaining, progress)


def _value(versions: SecretVersions, labels: Labels) -> str:
    if labels.current is None:
        raise NoValue(f"{versions.secret} has no value: deploy the environment first")
    return versions.read(labels.current)
