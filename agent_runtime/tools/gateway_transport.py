"""How an agent proves to an AgentCore gateway who it is: a token from a secret, or a signature with the runtime's role.

"Inbound authorization for your gateway", Amazon Bedrock AgentCore developer guide.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from agent_runtime.blueprint_blocks import McpServer
from agent_runtime.tool_gateway import gateway_at
from agent_runtime.tools.mcp_transport import HeaderTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from agent_runtime.blueprint_blocks import ToolGateway
    from agent_runtime.secret_reader import SecretValue

_SERVICE = "bedrock-agentcore"
_AUTHORIZATION = "Authorization"


class BearerTransport(HeaderTransport):
    """Sends the token of a secret."""

    async def added(self, request: httpx2.Request, values: Mapping[str, SecretValue]) -> dict[str, str]:
        """Gives the header that stands for the agent."""
        return {header: f"Bearer {value}" for header, value in (await super().added(request, values)).items()}


class SigningTransport(HeaderTransport):
    """Signs each request with the credentials of the runtime's role (AWS Signature Version 4)."""

    _credentials: Any = None

    async def added(self, request: httpx2.Request, values: Mapping[str, SecretValue]) -> dict[str, str]:
        """Gives the headers of the signature."""
        body = await request.aread()
        return await asyncio.to_thread(self._signature, request.method, str(request.url), body)

    def _signature(self, method: str, url: str, body: bytes) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import Session

        if self._credentials is None:
            # Refreshes itself; a transport is made by a request, so no snapshot holds it.
            self._credentials = Session().get_credentials()
        gateway = gateway_at(url)
        region = gateway.region if gateway else os.environ["AWS_REGION"]
        signed = AWSRequest(method, url, data=body)
        SigV4Auth(self._credentials.get_frozen_credentials(), _SERVICE, region).add_auth(signed)
        return dict(signed.headers.items())


TRANSPORTS: Mapping[str, type[HeaderTransport]] = {
    "aws_iam": SigningTransport,
    "custom_jwt": BearerTransport,
    "none": HeaderTransport,
}
"""By `gateway.auth_type`."""


def server_of(gateway: ToolGateway) -> McpServer:
    """Describe a gateway as the server of tools that it is.

    Args:
        gateway: What the blueprint says, with a url.

    Returns:
        The server; its header is the one that the transport of the gateway's `auth_type` fills.
    """
    token = {_AUTHORIZATION: gateway.jwt_env_var} if gateway.jwt_env_var else {}
    return McpServer(url=gateway.url, headers_env=token)
