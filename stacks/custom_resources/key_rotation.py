"""The four steps by which an agent's key is rotated, on Secrets Manager's schedule or by `strandline rotate`.

createSecret, setSecret, testSecret and finishSecret, as "Rotation by Lambda function" of AWS Secrets Manager describes
them; each may come twice. The labels move by the same code as an operator's (`secret_versions.py`). Of the agents' keys
only a staged one can be read here, to try it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .rotation_steps import RotationRefused, stage_value, take_step, try_staged
from .secret_versions import SecretVersions
from .virtual_keys import VirtualKey, new_key

if TYPE_CHECKING:
    from .proxy_admin import ProxyAdmin

AGENT_TAG = "strandline:agent"
"""Tag of a secret that tells whose key it is."""
GRACE_SECONDS = 3600
"""How long the key before works on: more than agents keep a value (five minutes), and time to notice."""
GRACE = "GraceSeconds"
"""What an operator's event says besides: another time than that."""


class KeyRotation:
    """Rotates agents' keys.

    Args:
        proxy: LiteLLM's admin routes.
        vault: A client of Secrets Manager.
    """

    def __init__(self, proxy: ProxyAdmin, vault: Any) -> None:
        self._proxy = proxy
        self._vault = vault

    def take(self, event: Mapping[str, Any]) -> None:
        """Takes one step.

        Args:
            event: Secrets Manager's event: Step, SecretId and ClientRequestToken.

        Raises:
            RotationRefused: It cannot be done.
        """
        secret, token = event["SecretId"], event["ClientRequestToken"]
        versions, key = SecretVersions(self._vault, secret), VirtualKey(self._proxy, self._alias(secret))
        steps = {
            "createSecret": lambda: self._create(versions, key, token),
            # LiteLLM has the key since it was made: it makes and keeps it in one call.
            "setSecret": lambda: None,
            "testSecret": lambda: try_staged(versions, token, self._require_opens),
            "finishSecret": lambda: self._finish(versions, key, token, event.get(GRACE)),
            "abandon": lambda: self._abandon(versions, key, token),
        }
        take_step(event, steps)

    def _alias(self, secret: str) -> str:
        tags = {tag["Key"]: tag["Value"] for tag in self._vault.describe_secret(SecretId=secret).get("Tags", ())}
        if AGENT_TAG not in tags:
            raise RotationRefused(f"{secret} has no tag {AGENT_TAG}, so it is no agent's key")
        return f"{os.environ['STRANDLINE_ENVIRONMENT']}/{tags[AGENT_TAG]}"

    def _create(self, versions: SecretVersions, key: VirtualKey, token: str) -> None:
        def generate() -> str:
            value = new_key()
            if not key.generate_next(token, value):
                raise RotationRefused(f"the gateway knows no key {key.alias}: deploy the agent again")
            return value

        # What a rotation before has left to do.
        key.settle(versions.labels().current, GRACE_SECONDS)
        stage_value(versions, token, generate)

    def _require_opens(self, value: str) -> None:
        if not self._proxy.opens(value):
            raise RotationRefused("the gateway does not take the staged key")

    def _finish(self, versions: SecretVersions, key: VirtualKey, token: str, grace_seconds: int | None) -> None:
        labels = versions.labels()
        if labels.current != token:
            if key.next_version() != token:
                raise RotationRefused("the gateway has no key of the staged version: nothing was changed")
            versions.promote(token)
        key.settle(token, GRACE_SECONDS if grace_seconds is None else grace_seconds)
        if grace_seconds is None:
            # An operator's command ends the rotation itself, when the agents have read the key; nobody else would.
            versions.discard(token)
        elif grace_seconds == 0:
            key.retire()

    def _abandon(self, versions: SecretVersions, key: VirtualKey, token: str) -> None:
        if versions.labels().current != token:
            versions.discard(token)
            key.drop_next()
