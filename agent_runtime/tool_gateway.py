"""The address of an AgentCore gateway, which says whose it is and where."""

from __future__ import annotations

import re
from dataclasses import dataclass

# "Use an AgentCore gateway", Amazon Bedrock AgentCore developer guide.
_ADDRESS = re.compile(
    r"https://(?P<id>[a-z0-9-]+)\.gateway\.bedrock-agentcore\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?:/.*)?"
)


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """An AgentCore gateway.

    Attributes:
        gateway_id: Its id.
        region: Its AWS Region.
    """

    gateway_id: str
    region: str


def gateway_at(url: str) -> GatewayAddress | None:
    """Read the address of an AgentCore gateway.

    Args:
        url: An address.

    Returns:
        The gateway; nothing when the address is none of AgentCore's.
    """
    found = _ADDRESS.fullmatch(url)
    return GatewayAddress(found["id"], found["region"]) if found else None
