"""One agent's virtual key at LiteLLM, under up to three aliases while it changes.

    <alias>        what the agent uses
    <alias>.next   what it will use: made, and not yet current
    <alias>.old    what it used before, until its time is over

LiteLLM's own regeneration of a key is for its paying customers ("Virtual keys", LiteLLM documentation); these are two
keys, and both work while the agents go from one to the other. The new one begins with what the old one has spent.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .proxy_admin import ProxyAdmin

VERSION = "strandline_version"
"""Where LiteLLM's metadata of a key tell which version of the agent's secret it is."""

_KEY_BYTES = 32
_NEXT, _OLD = ".next", ".old"
_KEPT = (
    *("team_id", "models", "allowed_routes", "max_budget", "budget_duration", "rpm_limit", "tpm_limit"),
    *("spend", "metadata"),
)


def new_key() -> str:
    """Makes a key of 256 random bits, as LiteLLM wants one to begin."""
    return f"sk-{secrets.token_urlsafe(_KEY_BYTES)}"


def is_in_use(alias: str) -> bool:
    """Whether an alias is that of a key which an agent uses, and not of the one before or after it."""
    return not alias.endswith((_NEXT, _OLD))


class VirtualKey:
    """The key of one agent.

    Args:
        proxy: LiteLLM's admin routes.
        alias: What it is called.
    """

    def __init__(self, proxy: ProxyAdmin, alias: str) -> None:
        self._proxy = proxy
        self.alias = alias
        self._next, self._old = alias + _NEXT, alias + _OLD

    def generate(self, version: str, settings: Mapping[str, Any], key: str) -> None:
        """Makes the key anew; whatever had its alias is no key any more.

        Args:
            version: Version of the agent's secret that will hold it.
            settings: What LiteLLM is told of it.
            key: Its value.
        """
        self._replace(self.alias, settings, version, key)

    def generate_next(self, version: str, key: str) -> bool:
        """Makes the next key, with what the present one may do and has spent.

        Args:
            version: Version of the agent's secret that will hold it.
            key: Its value.

        Returns:
            Whether there is a present key that it could follow.
        """
        present = self._proxy.find_key(self.alias)
        if present is None:
            return False
        # What is not limited is left out: LiteLLM takes some limits as given when they are nothing.
        settings = {name: present[name] for name in _KEPT if present.get(name) is not None}
        self._replace(self._next, settings, version, key)
        return True

    def version(self) -> str | None:
        """The version of the secret that the present key is; nothing where there is no key."""
        return _version_of(self._proxy.find_key(self.alias))

    def next_version(self) -> str | None:
        """The version of the secret that the next key is; nothing where none is made."""
        return _version_of(self._proxy.find_key(self._next))

    def update(self, version: str, settings: Mapping[str, Any]) -> None:
        """Changes what the present key may do.

        Args:
            version: The version of the secret that it is.
            settings: What LiteLLM is told; None takes a limit away.
        """
        present = self._proxy.find_key(self.alias)
        if present:
            self._proxy.update_key({"key": present["token"], "key_alias": self.alias, **_told(settings, version)})

    def settle(self, current: str | None, grace_seconds: int) -> None:
        """Makes the next key the present one, if it is what the agents' secret says; safe to repeat.

        Args:
            current: Version AWSCURRENT of the secret.
            grace_seconds: How long the key before works on; at 0 it is deleted.
        """
        following = self._proxy.find_key(self._next)
        if following is None or _version_of(following) != current:
            return
        present = self._proxy.find_key(self.alias)
        if present is not None:
            self._proxy.delete_key(self._old)
            if grace_seconds:
                # LiteLLM itself ends it, also when nobody comes back here.
                self._proxy.update_key(
                    {"key": present["token"], "key_alias": self._old, "duration": f"{grace_seconds}s"}
                )
            else:
                self._proxy.delete_key(self.alias)
        self._proxy.update_key({"key": following["token"], "key_alias": self.alias})

    def drop_next(self) -> None:
        """Takes back a next key that was not taken into use."""
        self._proxy.delete_key(self._next)

    def retire(self) -> None:
        """Deletes the key before, whatever is left of its time."""
        self._proxy.delete_key(self._old)

    def delete(self) -> None:
        """Deletes every key of the agent."""
        for alias in (self._old, self._next, self.alias):
            self._proxy.delete_key(alias)

    def _replace(self, alias: str, settings: Mapping[str, Any], version: str, key: str) -> None:
        self._proxy.delete_key(alias)  # of an attempt that ended before its key was kept
        self._proxy.generate_key({"key": key, **_told(settings, version), "key_alias": alias})


def _told(settings: Mapping[str, Any], version: str) -> dict[str, Any]:
    return {**settings, "metadata": {**(settings.get("metadata") or {}), VERSION: version}}


def _version_of(found: Mapping[str, Any] | None) -> str | None:
    return (found.get("metadata") or {}).get(VERSION) if found else None
