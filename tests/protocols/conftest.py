"""Agents that speak MCP and A2A."""

from __future__ import annotations

import pytest

from agent_runtime.blueprint import Blueprint
from tests.protocols.serving import ServedAgent
from tests.structured_output.conftest import analysis
from tests.support.equipped_handler import equipped_blueprint
from tests.support.secrets_manager import SecretsManager
from tests.tools.conftest import endpoint, folder

__all__ = ["analysis", "endpoint", "folder"]

KEY = "sk-canary-protocols-5a1d"
MASKING = {"data_protection": {"provider": "presidio", "presidio_entities": ["EMAIL_ADDRESS"]}}


@pytest.fixture
def secrets_manager():
    """Secrets Manager with the key of the model."""
    return SecretsManager(MODEL_KEY=KEY)


@pytest.fixture
def serve(endpoint, secrets_manager, folder):
    """Serves agents whose blueprints have these members."""
    running = []

    def start(protocol, *, schemas=None, runtime=None, model=None, **members):
        members["runtime"] = {"protocol": protocol, **(runtime or {})}
        plan = equipped_blueprint(endpoint, **members)
        document = plan.model_dump(mode="json")
        document["model"] |= model or {}
        running.append(ServedAgent(Blueprint.model_validate(document), secrets_manager, folder, schemas or {}))
        return running[-1]

    yield start
    for agent in running:
        agent.stop()


@pytest.fixture
def tides(folder):
    """A tool of the user, as the blueprint names it."""
    (folder / "tides.py").write_text(_TOOL)
    return "tides:tide_at"


_TOOL = '''
from strands import tool

@tool
def tide_at(place: str) -> str:
    """Tells the tide at a place."""
    return f"High at {place}."
'''
