"""A started handler for each kind of agent, the AWS that it talks to, and the servers that it asks."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from tests.runtime.aws_server import AwsServer
from tests.snapshot.snapshots import bundle_of, snapshot_of
from tests.support.openai_server import OpenAIServer
from tests.tools.mcp_http import McpHttpServer

SECRETS = {
    "MODEL_KEY": "sk-canary-model-key-before",
    "TEAM": "canary-team-header-before",
    "TOOLS_KEY": "canary-tools-key-before",
}
PREFIX = "strandline/test/"


@contextmanager
def started(folder, members, **variables):
    """Starts a handler whose blueprint has these members, which may name the addresses of the servers beside it."""
    with ExitStack() as stack:
        aws = stack.enter_context(AwsServer())
        endpoint = stack.enter_context(OpenAIServer())
        tools = stack.enter_context(McpHttpServer(SECRETS["TOOLS_KEY"]))
        bundle = bundle_of(folder, members.replace("<endpoint>", endpoint.base_url).replace("<tools>", tools.url))
        aws.objects[f"/bundles/agents/{bundle.sha256}.json"] = bundle.content
        aws.secrets |= {PREFIX + name: text for name, text in SECRETS.items()}
        plain = {
            "STRANDLINE_ENVIRONMENT": "test",
            "STRANDLINE_EXECUTION_MODE": "simulation",
            "STRANDLINE_BUNDLE": f"s3://bundles/agents/{bundle.sha256}.json",
            "STRANDLINE_SECRETS": PREFIX,
            "STRANDLINE_HOST": "127.0.0.1",
            "STRANDLINE_PORT": str(_free_port()),
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            # As in AgentCore: credentials that end, from an address, and none in the environment.
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": aws.credentials_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": "/nonexistent",
            "PATH": os.environ["PATH"],
        }
        snapshot = stack.enter_context(snapshot_of(plain | variables, folder / "log"))
        yield Started(snapshot, aws, endpoint, tools, tools_are_used="<tools>" in members)


class Started:
    """A handler at its first healthy ping, as `snapshot` has it, with the servers that it asks.

    Attributes:
        start_calls: What it asked AWS for until then.
        start_tokens: The credentials that it had for it.
        tools_are_used: Whether it has tools.
    """

    def __init__(self, snapshot, aws, endpoint, tools, *, tools_are_used):
        self._snapshot = snapshot
        self.aws, self.endpoint, self.tools = aws, endpoint, tools
        self.tools_are_used = tools_are_used
        self.start_calls, self.start_tokens = list(aws.calls), list(aws.tokens)
        # Copies with other clocks take credentials too.
        aws.credentials_last = timedelta(days=30)

    def __getattr__(self, name):
        return getattr(self._snapshot, name)

    def renew(self, secrets):
        """Gives secrets other values, there and where they are looked at; what was asked for until now is forgotten."""
        self.aws.secrets |= {PREFIX + name: text for name, text in secrets.items()}
        self.tools.key = secrets["TOOLS_KEY"]
        for seen in (self.aws.calls, self.aws.tokens, self.endpoint.requests, self.tools.headers):
            seen.clear()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
