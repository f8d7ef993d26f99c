"""Runs the handler in this process, as AgentCore sees it: HTTP on a loopback port."""

from __future__ import annotations

import asyncio
import json
import threading
import warnings

import httpx

from agent_runtime.blueprint import Blueprint
from agent_runtime.bundle import BundledAgent
from agent_runtime.conversations import Conversations
from agent_runtime.http_app import build_app, server_options
from agent_runtime.invocation import AgentService
from agent_runtime.providers.endpoint import EndpointModel
from agent_runtime.secret_store import SecretStore
from agent_runtime.settings import RuntimeSettings
from tests.support.served_app import ServedApp

with warnings.catch_warnings():
    # The SDK defines its models as pydantic 1 did.
    warnings.simplefilter("ignore")
    import bedrock_agentcore  # noqa: F401

SESSION = "session-0123456789-0123456789-0123456789"
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
PROMPT = "You know the tides."
MODEL_ID = "my-org/tide-model"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def blueprint(model, runtime=None):
    """A blueprint whose model has these members."""
    defaults = {"provider": "litellm", "model_id": MODEL_ID, "temperature": 0.25, "max_tokens": 321}
    return Blueprint.model_validate(
        {
            "id": "tide",
            "name": "Tide",
            "version": "1.2.3",
            "prompt_ref": "tide",
            "model": defaults | model,
            "runtime": runtime or {},
        }
    )


def settings(**changes):
    """What the deployment would tell the handler."""
    variables = {
        "STRANDLINE_ENVIRONMENT": "test",
        "STRANDLINE_EXECUTION_MODE": "simulation",
        "STRANDLINE_BUNDLE": f"s3://bundles/{'0' * 64}.json",
        "STRANDLINE_SECRETS": "strandline/test/",
    }
    return RuntimeSettings.from_environment(variables | changes)


def events_of(response):
    """The events of a stream that has been read."""
    return [json.loads(line[len("data:") :]) for line in response.text.splitlines() if line.startswith("data:")]


def text_of(events):
    """The text that the events of a stream bring."""
    deltas = [event.get("event", {}).get("contentBlockDelta", {}).get("delta", {}) for event in events]
    return "".join(delta.get("text", "") for delta in deltas)


class RunningHandler:
    """One process's handler, and a client of it."""

    def __init__(self, model, runtime, secrets_manager, clock, *, timeout, maximum_conversations):
        self.clients_made = []

        def new_client():
            self.clients_made.append(threading.current_thread().name)
            return secrets_manager

        self.secrets = SecretStore(
            prefix="strandline/test/", environment="test", client_factory=new_client, clock=clock
        )
        plan = blueprint(model, runtime)
        source = EndpointModel(plan, settings(), self.secrets)
        self.model_client = source.client
        self.model_client.timeout = timeout
        self.conversations = Conversations(maximum_conversations)
        agent = BundledAgent(plan, PROMPT, "1" * 64, "2" * 64)
        self.app = build_app(AgentService(agent, source, self.conversations, secrets=self.secrets))
        self._start()

    def _start(self):
        self._served = ServedApp(self._routed, lifespan="off", interface="asgi3", **server_options())
        self.port, self.url = self._served.port, self._served.url
        self.client = httpx.Client(base_url=self.url, timeout=60)

    async def _routed(self, scope, receive, send):
        """Also answers at the path of AgentCore's data plane, for clients that call it there."""
        if scope["type"] == "http" and scope["path"].startswith("/runtimes/"):
            scope = scope | {"path": "/invocations", "raw_path": b"/invocations"}
        await self.app(scope, receive, send)

    def stop(self):
        """Ends the server, and the loop that the SDK leaves running."""
        self.client.close()
        self._served.stop()
        loop = self.app._worker_loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_end_tasks(self.model_client), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            self.app._worker_thread.join()
            loop.close()

    def invoke(self, payload, *, session=SESSION, accept="application/json"):
        """Calls the agent; anything but bytes goes as JSON."""
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = {"Content-Type": "application/json", "Accept": accept, SESSION_HEADER: session}
        return self.client.post("/invocations", content=content, headers=headers)

    def ask(self, prompt="Hello", **more):
        """Calls the agent and gives its answer."""
        response = self.invoke({"prompt": prompt}, **more)
        assert response.status_code == 200, response.text
        return response.json()

    def ask_streaming(self, prompt="Hello", **more):
        """Calls the agent and gives the events of its stream."""
        response = self.invoke({"prompt": prompt}, accept="text/event-stream", **more)
        assert response.headers["content-type"].startswith("text/event-stream"), response.text
        return events_of(response)

    def streaming(self, prompt="Hello", *, session=SESSION):
        """Opens a stream, for the test to read or to leave."""
        headers = {"Accept": "text/event-stream", SESSION_HEADER: session}
        return self.client.stream("POST", "/invocations", json={"prompt": prompt}, headers=headers)


async def _end_tasks(model_client):
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await model_client.close()
    await asyncio.get_running_loop().shutdown_asyncgens()
