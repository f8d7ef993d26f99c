"""Asks the agent of a blueprint once, with nothing but the packages of the code artefact in the working directory.

Run as a program: the blueprint as JSON, and the prompt; prints the answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from agent_runtime.blueprint import Blueprint
from agent_runtime.bundle import BundledAgent
from agent_runtime.conversations import Conversations
from agent_runtime.inputs import Prompt
from agent_runtime.invocation import AgentService
from agent_runtime.providers import build_model_source
from agent_runtime.secret_store import SecretStore
from agent_runtime.settings import RuntimeSettings
from agent_runtime.tools import build_toolbox

VARIABLES = {
    "STRANDLINE_ENVIRONMENT": "test",
    "STRANDLINE_EXECUTION_MODE": "simulation",
    "STRANDLINE_BUNDLE": f"s3://bundles/{'0' * 64}.json",
    "STRANDLINE_SECRETS": "strandline/test/",
}


async def main():
    plan = Blueprint.model_validate_json(sys.argv[1])
    secrets = SecretStore(prefix="strandline/test/", environment="test", client_factory=lambda: None)
    source = build_model_source(plan, RuntimeSettings.from_environment(VARIABLES), secrets)
    agent = BundledAgent(plan, "You know the tides.", "1" * 64, "2" * 64)
    service = AgentService(agent, source, Conversations(), tools=build_toolbox(plan, secrets))
    async for event in service.events(Prompt.from_payload({"prompt": sys.argv[2]}), "session" * 5):
        last = event
    await source.client.close()
    print(json.dumps(last["result"]["content"]))


asyncio.run(main())
