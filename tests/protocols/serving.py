"""Serves an agent by its blueprint's protocol, as AgentCore reaches it: HTTP on a loopback port."""

from __future__ import annotations

from agent_runtime.bundle import BundledAgent
from agent_runtime.conversations import Conversations
from agent_runtime.guarded_events import build_guard
from agent_runtime.invocation import AgentService
from agent_runtime.protocols import build_protocol_app
from agent_runtime.providers import build_model_source
from agent_runtime.secret_store import SecretStore
from agent_runtime.structured_output import build_structured_output
from agent_runtime.tools import build_toolbox
from tests.runtime.handler import PROMPT, settings
from tests.support.equipped_handler import SCHEMA_HASH
from tests.support.served_app import ServedApp


class ServedAgent:
    """An agent on a port of its own; everything is real but the model and Secrets Manager."""

    def __init__(self, plan, secrets_manager, folder, schemas):
        secrets = SecretStore(prefix="strandline/test/", environment="test", client_factory=lambda: secrets_manager)
        source = build_model_source(plan, settings(), secrets)
        self._model_client = source.client
        agent = BundledAgent(plan, PROMPT, "1" * 64, "2" * 64, schemas, dict.fromkeys(schemas, SCHEMA_HASH))
        output = build_structured_output(agent, folder)
        tools = build_toolbox(plan, secrets, folder=folder, reserved=[output.schema.name] if output else [])
        self.conversations = Conversations()
        service = AgentService(agent, source, self.conversations, tools=tools, output=output, guard=build_guard(plan))
        self._served = ServedApp(self._with_end(build_protocol_app(service)))
        self.url = self._served.url

    def _with_end(self, app):
        """Closes the model's client at the end, on the loop that it was used on."""

        async def serve(scope, receive, send):
            await app(scope, receive, send)
            if scope["type"] == "lifespan":
                await self._model_client.close()

        return serve

    def stop(self):
        """Ends the server."""
        self._served.stop()
