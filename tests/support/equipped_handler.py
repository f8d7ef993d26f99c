"""The handler with tools and an output schema, as it is built from a blueprint: everything real but the model."""

from __future__ import annotations

import asyncio

from agent_runtime.blueprint import Blueprint
from agent_runtime.bundle import BundledAgent
from agent_runtime.conversations import Conversations
from agent_runtime.guarded_events import build_guard
from agent_runtime.invocation import AgentService
from agent_runtime.providers import build_model_source
from agent_runtime.secret_store import SecretStore
from agent_runtime.server import build_app
from agent_runtime.structured_output import build_structured_output
from agent_runtime.tools import build_toolbox
from tests.runtime.handler import PROMPT, RunningHandler, settings

SCHEMA_HASH = "5" * 64
TEST_MODEL = "my-org/tide-model"


class EquippedHandler(RunningHandler):
    """A handler whose blueprint has tools or an output schema.

    Args:
        endpoint: Stands for the model.
        secrets_manager: Holds the secrets.
        clock: Seconds of the secrets' cache and of the servers' connections.
        folder: Where the user's code lies.
        schemas: JSON Schemas by name.
        members: Members of the blueprint.
    """

    def __init__(self, endpoint, secrets_manager, clock, folder, schemas=None, **members):
        self.secrets = SecretStore(
            prefix="strandline/test/", environment="test", client_factory=lambda: secrets_manager, clock=clock
        )
        plan = equipped_blueprint(endpoint, **members)
        source = build_model_source(plan, settings(), self.secrets)
        self.model_client = _Connections(source)
        schemas = schemas or {}
        agent = BundledAgent(plan, PROMPT, "1" * 64, "2" * 64, schemas, dict.fromkeys(schemas, SCHEMA_HASH))
        output = build_structured_output(agent, folder)
        reserved = [output.schema.name] if output else []
        self.toolbox = build_toolbox(plan, self.secrets, folder=folder, reserved=reserved, clock=clock)
        self.conversations = Conversations()
        guard = build_guard(plan)
        self.app = build_app(
            AgentService(agent, source, self.conversations, tools=self.toolbox, output=output, guard=guard)
        )
        self._start()

    def stop(self):
        """Ends the connections of the tools too."""
        asyncio.run(self.toolbox.close())
        super().stop()


class _Connections:
    """What a source of models holds open, whatever the provider."""

    def __init__(self, source):
        self._source = source

    async def close(self):
        """Closes it, as the end of a process would."""
        for holder in (
            getattr(getattr(self._source, "model", None), "clients", None),
            getattr(self._source, "client", None),
        ):
            if holder is not None:
                await holder.close()


def equipped_blueprint(endpoint, **members):
    """A blueprint whose model is `endpoint`."""
    model = {
        "provider": "litellm",
        "model_id": TEST_MODEL,
        "temperature": 0.25,
        "max_tokens": 321,
        "base_url": endpoint.base_url,
    }
    return Blueprint.model_validate(
        {"id": "tide", "name": "Tide", "version": "1.2.3", "prompt_ref": "tide", "model": model} | members
    )
