"""The handler as it runs: the SDK's app served by uvicorn, a model's endpoint and secrets that the test sets."""

from __future__ import annotations

import socket

import pytest

from tests.runtime.handler import Clock, RunningHandler
from tests.support.openai_server import OpenAIServer
from tests.support.secrets_manager import SecretsManager

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def endpoint():
    """The model's endpoint."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def secrets_manager():
    """Secrets Manager with the key of the agent."""
    return SecretsManager(MODEL_KEY=KEY, TEAM="canary-team-9f3c", SECOND="canary-second-77aa")


@pytest.fixture
def silent_server():
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def clock():
    """The secret store's clock; it stands until the test moves it."""
    return Clock()


@pytest.fixture
def serve(endpoint, secrets_manager, clock):
    """Serves handlers whose agents ask `endpoint`; members of the blueprint's model and runtime can be changed."""
    running = []

    def start(*, runtime=None, timeout=30.0, maximum_conversations=256, **model):
        model = {"base_url": endpoint.base_url, "api_key_env": "MODEL_KEY"} | model
        handler = RunningHandler(
            model, runtime or {}, secrets_manager, clock, timeout=timeout, maximum_conversations=maximum_conversations
        )
        running.append(handler)
        return handler

    yield start
    for handler in running:
        handler.stop()


@pytest.fixture
def handler(serve):
    """A handler that serves a plain agent."""
    return serve()
