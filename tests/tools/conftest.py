"""Handlers with tools, and the servers that they call."""

from __future__ import annotations

import sys

import pytest

from tests.runtime.handler import Clock
from tests.support.equipped_handler import EquippedHandler
from tests.support.openai_server import OpenAIServer
from tests.support.secrets_manager import SecretsManager
from tests.tools.mcp_http import McpHttpServer

KEY = "canary-tools-key-41d8"


@pytest.fixture
def endpoint():
    """The model's endpoint."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def secrets_manager():
    """Secrets Manager with the key of a server of tools."""
    return SecretsManager(TOOLS_KEY=KEY)


@pytest.fixture
def clock():
    """Stands until the test moves it."""
    return Clock()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's code; its modules are forgotten after the test."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    made = tmp_path / "tools"
    made.mkdir()
    yield made
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(made)):
            del sys.modules[name]


@pytest.fixture
def serve(endpoint, secrets_manager, clock, folder):
    """Serves handlers whose blueprint has these members."""
    running = []

    def start(**members):
        running.append(EquippedHandler(endpoint, secrets_manager, clock, folder, **members))
        return running[-1]

    yield start
    for handler in running:
        handler.stop()


@pytest.fixture
def tide_server():
    """A server of tools over streamable HTTP that wants the key."""
    with McpHttpServer(KEY) as server:
        yield server
