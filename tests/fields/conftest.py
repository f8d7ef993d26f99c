"""One world for all blueprints of these tests."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.fields.effects import Observer
from tests.fields.site import Site
from tests.providers.provider_server import ProviderServer
from tests.runtime.aws_server import AwsServer
from tests.support.openai_server import OpenAIServer
from tests.support.otlp_collector import OtlpCollector
from tests.tools.mcp_http import McpHttpServer


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The world around the agents."""
    with ExitStack() as ends:
        api, openai, aws = map(ends.enter_context, (ProviderServer(), OpenAIServer(), AwsServer()))
        servers = [ends.enter_context(McpHttpServer(None)) for _ in range(2)]
        collectors = [ends.enter_context(OtlpCollector()) for _ in range(2)]
        yield Site(tmp_path_factory.mktemp("fields"), api, openai, aws, servers, collectors)


@pytest.fixture(scope="module")
def observer(site):
    """Looks at blueprints in that world."""
    return Observer(site)
