"""An agent's virtual key at the gateway: made with the agent, changed with its budget, gone with the agent.

The key's value goes from here to LiteLLM and to the agent's secret and nowhere else. The version of the secret is named
by the key's SHA-256, which is the name that LiteLLM knows the key by: whether both have the same key can be told
without reading it, so that an event that is delivered twice makes no second key.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from typing import Any

from .events import Change, ChangeFailed, answer
from .proxy_admin import ProxyAdmin, ProxyRefused

_DURATIONS = {"day": "1d", "week": "7d", "month": "1mo"}
_KEY_BYTES = 32


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Lambda's entry point."""
    answer(event, context, _make)


def _make(change: Change) -> str:
    import boto3

    vault = boto3.client("secretsmanager")
    master_key = vault.get_secret_value(SecretId=os.environ["MASTER_KEY_SECRET"])["SecretString"]
    keys = AgentKeys(ProxyAdmin(os.environ["GATEWAY_URL"], master_key), vault, os.environ["STRANDLINE_ENVIRONMENT"])
    return keys.make(change)


class AgentKeys:
    """The keys of one environment's agents.

    Args:
        proxy: LiteLLM's admin routes.
        vault: A client of Secrets Manager.
        environment: Name of the environment, which is the keys' team.
    """

    def __init__(self, proxy: ProxyAdmin, vault: Any, environment: str) -> None:
        self._proxy = proxy
        self._vault = vault
        self._environment = environment

    def make(self, change: Change) -> str:
        """Makes what CloudFormation wants of one agent's key.

        Args:
            change: CloudFormation's event.

        Returns:
            The key's alias, by which CloudFormation knows the resource.

        Raises:
            ChangeFailed: The gateway or Secrets Manager refused.
        """
        alias = f"{self._environment}/{change.properties['Agent']}"
        try:
            if change.kind == "Delete":
                self._delete(change.physical_id)
            else:
                self._ensure(alias, change)
        except ProxyRefused as refused:
            raise ChangeFailed(f"{alias}: {refused}", alias) from None
        return change.physical_id or alias if change.kind == "Delete" else alias

    def _delete(self, physical_id: str | None) -> None:
        # Where nothing was made CloudFormation asks to delete an id that is no alias, and the gateway may not answer.
        if physical_id and physical_id.startswith(f"{self._environment}/"):
            self._proxy.delete_key(physical_id)

    def _ensure(self, alias: str, change: Change) -> None:
        settings = self._settings(alias, change.properties)
        secret = change.properties["Secret"]
        token = self._current_version(secret)
        known = self._proxy.find_key(token) if token else None
        if token and known and known.get("key_alias") == alias:
            self._proxy.update_key({"key": token, **settings})
            return
        self._proxy.ensure_team(self._environment)
        self._mint(alias, settings, secret)

    def _mint(self, alias: str, settings: dict[str, Any], secret: str) -> None:
        self._proxy.delete_key(alias)  # of an attempt that ended before its key was kept
        key = f"sk-{secrets.token_urlsafe(_KEY_BYTES)}"
        self._proxy.generate_key({"key": key, **settings})
        try:
            self._vault.put_secret_value(
                SecretId=secret, SecretString=key, ClientRequestToken=hashlib.sha256(key.encode()).hexdigest()
            )
        except Exception as fault:
            self._proxy.delete_key(alias)
            raise ChangeFailed(f"{alias}: Secrets Manager did not take the key ({type(fault).__name__})") from None

    def _current_version(self, secret: str) -> str | None:
        """The hash of the key that the agent reads, if it has one."""
        stages = self._vault.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
        return next((version for version, labels in stages.items() if "AWSCURRENT" in labels), None)

    def _settings(self, alias: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        """What LiteLLM is told; CloudFormation hands numbers over as text."""
        most = properties.get("MaxUsd")
        rpm, tpm = properties.get("Rpm"), properties.get("Tpm")
        return {
            "key_alias": alias,
            "team_id": self._environment,
            "models": list(properties["Models"]),
            "allowed_routes": list(properties["Routes"]),
            "max_budget": float(most) if most else None,
            "budget_duration": _DURATIONS[properties["Per"]] if most else None,
            "rpm_limit": int(rpm) if rpm else None,
            "tpm_limit": int(tpm) if tpm else None,
            "metadata": {"strandline_environment": self._environment, "strandline_agent": properties["Agent"]},
        }
