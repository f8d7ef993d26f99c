"""An agent's virtual key at the gateway: made with the agent, changed with its budget, rotated, gone with the agent.

The key's value goes from here to LiteLLM and to the agent's secret and nowhere else. LiteLLM keeps the id of the
secret's version beside the key: whether both have the same key can be told without reading it, so that an event that is
delivered twice makes no second key. How one is rotated: `key_rotation.py`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Mapping
from typing import Any

from .events import Change, ChangeFailed, answer
from .key_ages import AGE_METRIC, WATCH_EVENT, age_line, made_by_alias
from .key_rotation import GRACE_SECONDS, KeyRotation
from .proxy_admin import ProxyAdmin, ProxyRefused
from .secret_versions import SecretVersions
from .virtual_keys import VirtualKey, new_key

_DURATIONS = {"day": "1d", "week": "7d", "month": "1mo"}


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Lambda's entry point: for CloudFormation, for Secrets Manager's schedule, and for `strandline rotate`."""
    import boto3

    vault = boto3.client("secretsmanager")

    def open_proxy() -> ProxyAdmin:
        master_key = vault.get_secret_value(SecretId=os.environ["MASTER_KEY_SECRET"])["SecretString"]
        return ProxyAdmin(os.environ["GATEWAY_URL"], master_key)

    def make(change: Change) -> str:
        return AgentKeys(open_proxy(), vault, os.environ["STRANDLINE_ENVIRONMENT"]).make(change)

    if event == WATCH_EVENT:
        environment = os.environ["STRANDLINE_ENVIRONMENT"]
        made = made_by_alias(open_proxy().keys_of(environment), environment)
        print(age_line(AGE_METRIC, made, environment, dt.datetime.now(dt.UTC)))
    elif "Step" in event:
        KeyRotation(open_proxy(), vault).take(event)
    else:
        answer(event, context, make)


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
            VirtualKey(self._proxy, physical_id).delete()

    def _ensure(self, alias: str, change: Change) -> None:
        settings = self._settings(change.properties)
        secret = change.properties["Secret"]
        current = SecretVersions(self._vault, secret).labels().current
        key = VirtualKey(self._proxy, alias)
        key.settle(current, GRACE_SECONDS)
        if current and key.version() == current:
            key.update(current, settings)
            return
        self._proxy.ensure_team(self._environment)
        self._mint(key, settings, secret)

    def _mint(self, key: VirtualKey, settings: dict[str, Any], secret: str) -> None:
        value = new_key()
        version = hashlib.sha256(value.encode()).hexdigest()
        key.generate(version, settings, value)
        try:
            self._vault.put_secret_value(SecretId=secret, SecretString=value, ClientRequestToken=version)
        except Exception as fault:
            self._proxy.delete_key(key.alias)
            raise ChangeFailed(f"{key.alias}: Secrets Manager did not take the key ({type(fault).__name__})") from None

    def _settings(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """What LiteLLM is told; CloudFormation hands numbers over as text."""
        most = properties.get("MaxUsd")
        rpm, tpm = properties.get("Rpm"), properties.get("Tpm")
        return {
            "team_id": self._environment,
            "models": list(properties["Models"]),
            "allowed_routes": list(properties["Routes"]),
            "max_budget": float(most) if most else None,
            "budget_duration": _DURATIONS[properties["Per"]] if most else None,
            "rpm_limit": int(rpm) if rpm else None,
            "tpm_limit": int(tpm) if tpm else None,
            "metadata": {"strandline_environment": self._environment, "strandline_agent": properties["Agent"]},
        }
