"""The outside world of a blueprint: its files, the environments, the models' endpoints, servers of tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from stacks.environments import load_environments
from tests.fields.documents import Addresses

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.environments import Environment
    from tests.providers.provider_server import ProviderServer
    from tests.runtime.aws_server import AwsServer
    from tests.support.openai_server import OpenAIServer
    from tests.support.otlp_collector import OtlpCollector
    from tests.tools.mcp_http import McpHttpServer

ACCOUNT, REGION = "111111111111", "eu-central-1"
_NAMES = ("local", "simulation", "staging", "production")
_VARIABLES = {"GUARDRAIL": "gr-1", "OTHER_GUARDRAIL": "gr-2", "GUARDRAIL_VERSION": "1", "OTHER_VERSION": "2"}
_SECRETS = ("MODEL_KEY", "OTHER_KEY", "TEAM")
_TOOLS = {
    "field_tools.py": "from strands import tool\n\n\n"
    "@tool\ndef forecast(place: str) -> str:\n    '''Forecasts.'''\n    return 'sun'\n\n\n"
    "@tool\ndef sunrise(place: str) -> str:\n    '''Tells the sunrise.'''\n    return 'six'\n",
    **{
        f"{name}.py": "from mcp.server.mcpserver import MCPServer\n\nserver = MCPServer('harbour')\n\n\n"
        f"@server.tool()\ndef {name}(place: str) -> str:\n    '''Tells of a {name}.'''\n    return place\n\n\n"
        "if __name__ == '__main__':\n    server.run('stdio')\n"
        for name in ("harbour", "quay")
    },
    # The package stands beside the user's code in the artefact too.
    **{
        f"strands_tools/{name}.py": "from strands import tool\n\n\n"
        f"@tool\ndef {name}(page: str) -> str:\n    '''Reads the {name}.'''\n    return page\n"
        for name in ("almanac", "log_book")
    },
}
_ROUTE = {"model": "openai/gpt-4.1-mini", "api_key_env": "OPENAI_API_KEY"}
_GATEWAY = {"models": {"demo": _ROUTE, "other": _ROUTE}}
_SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}


class Site:
    """The world.

    Args:
        root: An empty folder.
        api: Anthropic, Amazon Bedrock and Vertex AI.
        openai: OpenAI, and all that speaks like it.
        aws: S3 and Secrets Manager.
        servers: Two servers of tools.
        collectors: Receivers of traces: CloudWatch, and one that a blueprint names.

    Attributes:
        root: The blueprints folder.
        code: The user's code in it.
        environments: Every environment, by name.
        addresses: Where all this listens.
        clients: boto3's clients of it.
    """

    def __init__(
        self,
        root: Path,
        api: ProviderServer,
        openai: OpenAIServer,
        aws: AwsServer,
        servers: list[McpHttpServer],
        collectors: list[OtlpCollector],
    ) -> None:
        self.root = root / "blueprints"
        self.api, self.openai, self.aws, self.servers, self.collectors = api, openai, aws, servers, collectors
        self.clients: dict[str, Any] = {}
        aws.secrets = {f"strandline/local/{name}": f"sk-{name.lower()}-0123456789" for name in _SECRETS}
        _write(self.root)
        environments = {name: {"account": ACCOUNT, "region": REGION, "variables": _VARIABLES} for name in _NAMES}
        (root / "environments.yaml").write_text(yaml.safe_dump({"environments": environments}))
        self.environments: dict[str, Environment] = dict(load_environments(root / "environments.yaml"))
        self.addresses = Addresses(
            openai=openai.base_url,
            anthropic=api.url,
            tools=servers[0].url,
            other_tools=servers[1].url,
            gateway=servers[0].url,
            other_gateway=servers[1].url,
            traces=collectors[1].endpoint,
        )
        self.code = self.root / "tools"

    def forget(self) -> None:
        """Forgets what was asked of it."""
        lists = [self.aws.calls, self.api.requests, self.openai.requests, *(one.headers for one in self.servers)]
        for requests in (*lists, *(kept for one in self.collectors for kept in (one.posts, one.spans))):
            requests.clear()

    def write(self, document: dict[str, Any]) -> None:
        """Writes the blueprint's file."""
        (self.root / "agents" / "tide.yaml").write_text(yaml.safe_dump(document))


def _write(root: Path) -> None:
    for folder in ("agents", "prompts", "schemas", "tools/strands_tools"):
        (root / folder).mkdir(parents=True)
    (root / "prompts" / "tide.md").write_text("You know the tides.\n")
    (root / "prompts" / "hello.md").write_text("You greet.\n")
    (root / "schemas" / "analysis.json").write_text(json.dumps(_SCHEMA))
    (root / "requirements.txt").write_text("strands-agents-tools\n")
    (root / "gateway.yaml").write_text(yaml.safe_dump(_GATEWAY))
    for name, source in _TOOLS.items():
        (root / "tools" / name).write_text(source)
