"""The few admin calls of LiteLLM that keys are made with ("Virtual keys", LiteLLM documentation), by urllib alone."""

from __future__ import annotations

import itertools
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

_CALL_SECONDS = 20
_NOT_FOUND = 404
_KEY_REFUSED = (401, 403)
_PAGE = 100  # the most that LiteLLM lists at once
_PASSING = frozenset({429, 500, 502, 503, 504})
# While a new task registers nothing may answer for a minute: the gateway has just been deployed.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


class ProxyRefused(Exception):
    """Raised with the call and LiteLLM's status; never with its text, which may hold what was sent.

    Attributes:
        status: The HTTP status; nothing where nobody answered.
    """

    def __init__(self, path: str, status: int | None) -> None:
        super().__init__(f"the gateway answered {path} with {status or 'nothing'}")
        self.status = status


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key goes to the gateway and nowhere that it points at."""

    def redirect_request(self, *_: Any) -> None:
        """Follows none."""


class ProxyAdmin:
    """LiteLLM's admin routes.

    Args:
        url: Address of the gateway.
        master_key: Its master key.
        sleep: Waits between two attempts.
    """

    def __init__(self, url: str, master_key: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url = url.rstrip("/")
        self._master_key = master_key
        self._sleep = sleep
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects())

    def find_key(self, alias: str) -> dict[str, Any] | None:
        """Finds a key by its alias.

        Args:
            alias: The alias.

        Returns:
            What LiteLLM knows of it, by `token` its hash; nothing where it knows no such key.
        """
        query = urllib.parse.urlencode({"key_alias": alias, "return_full_object": "true"})
        found: list[dict[str, Any]] = self._call("GET", f"/key/list?{query}")["keys"]
        return found[0] if found else None

    def keys_of(self, team: str) -> list[dict[str, Any]]:
        """Every key of a team, as LiteLLM knows it."""
        found: list[dict[str, Any]] = []
        for page in itertools.count(1):
            query = {"team_id": team, "return_full_object": "true", "page": page, "size": _PAGE}
            answer = self._call("GET", f"/key/list?{urllib.parse.urlencode(query)}")
            found += answer["keys"]
            if page >= answer["total_pages"]:
                break
        return found

    def opens(self, key: str) -> bool:
        """Whether the gateway takes a key: it is asked for the models that the key may use."""
        try:
            self._call("GET", "/v1/models", key=key)
        except ProxyRefused as refused:
            if refused.status in _KEY_REFUSED:
                return False
            raise
        return True

    def generate_key(self, settings: dict[str, Any]) -> None:
        """Makes a key; its value is among the settings."""
        self._call("POST", "/key/generate", settings)

    def update_key(self, settings: dict[str, Any]) -> None:
        """Changes what a key may do; a setting of None takes the limit away."""
        self._call("POST", "/key/update", settings)

    def delete_key(self, alias: str) -> None:
        """Deletes the key of an alias, if there is one."""
        try:
            self._call("POST", "/key/delete", {"key_aliases": [alias]})
        except ProxyRefused as refused:
            if refused.status != _NOT_FOUND:
                raise

    def ensure_team(self, team: str) -> None:
        """Makes a team unless there is one."""
        try:
            self._call("GET", f"/team/info?{urllib.parse.urlencode({'team_id': team})}")
        except ProxyRefused as refused:
            if refused.status != _NOT_FOUND:
                raise
            self._call("POST", "/team/new", {"team_id": team, "team_alias": team})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> Any:
        """Asks until somebody answers who is not about to start or to end."""
        for pause in (*_PAUSES, None):
            try:
                return self._ask(method, path, body, key or self._master_key)
            except ProxyRefused as refused:
                if pause is None or not (refused.status is None or refused.status in _PASSING):
                    raise
                self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, key: str) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the gateway's address, from the template
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        route = path.partition("?")[0]
        try:
            with self._opener.open(request, timeout=_CALL_SECONDS) as answered:
                return json.load(answered)
        except urllib.error.HTTPError as refused:
            with refused:
                raise ProxyRefused(route, refused.code) from None
        except (OSError, ValueError):
            raise ProxyRefused(route, None) from None
