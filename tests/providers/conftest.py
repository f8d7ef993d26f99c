"""A model of every provider, each built from a blueprint and pointed at a server on this machine."""

from __future__ import annotations

import asyncio
import json
import warnings
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import StrandlineError
from agent_runtime.model_answers import ModelAnswers, model_answers
from agent_runtime.providers import build_model_source, system_prompt_of
from agent_runtime.secret_store import SecretStore
from agent_runtime.settings import RuntimeSettings
from tests.providers.parity import LOOKUP, user
from tests.providers.provider_server import ProviderServer
from tests.support.openai_server import OpenAIServer, Reply
from tests.support.secrets_manager import SecretsManager

KEY, OTHER_KEY = "sk-matrix-0123456789", "sk-other-0123456789"
# What differs from call to call by itself, or is about the connection.
_NOISE = (
    "user-agent",
    "x-stainless-",
    "host",
    "content-length",
    "connection",
    "accept",
    "amz-",
    "x-amz-",
    "x-goog-api-",
)


@dataclass
class Seen:
    """What an agent's model did.

    Attributes:
        requests: Path, headers that carry meaning, and body of each call.
        events: What the model yielded.
        error: What it raised, or why it was not built.
        told: What the provider told of its answers.
        model: Class of the model.
    """

    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    error: Exception | None = None
    told: ModelAnswers = field(default_factory=ModelAnswers)
    model: str = ""

    @property
    def text(self) -> str:
        """What the model said."""
        deltas = [event.get("contentBlockDelta", {}).get("delta", {}) for event in self.events]
        return "".join(delta.get("text", "") for delta in deltas)

    @property
    def outside(self) -> object:
        """What can be seen of it from outside: the wire, or the refusal."""
        return self.requests or str(self.error)


class House:
    """The providers of this machine, and the secrets of the agents that call them.

    Attributes:
        api: Anthropic, Bedrock and Vertex AI.
        openai: OpenAI and everything that speaks like it.
        manager: Secrets Manager.
        clock: The secret store's seconds.
    """

    def __init__(self, api: ProviderServer, openai: OpenAIServer) -> None:
        self.api, self.openai = api, openai
        self.manager = SecretsManager(MODEL_KEY=KEY, OTHER_KEY=OTHER_KEY, TEAM="tides")
        self.now = 0.0

    def base(self, way: str) -> dict[str, Any]:
        """The `model` of a blueprint that goes this way."""
        key = {"api_key_env": "MODEL_KEY"}
        address = {"base_url": self.openai.base_url}
        return {
            "bedrock": {"provider": "bedrock", "model_id": "eu.anthropic.claude-sonnet-4-5"},
            "anthropic": {"provider": "anthropic", "model_id": "claude-sonnet-4-5", "base_url": self.api.url, **key},
            "vertex": {"provider": "vertex", "model_id": "gemini-2.5-pro", **key},
            "openai": {"provider": "openai", "model_id": "gpt-4o", **address, **key},
            "light": {"provider": "litellm", "model_id": "tide", "client": "openai", **address, **key},
            "litellm": {"provider": "litellm", "model_id": "tide", "client": "litellm", **address, **key},
            "named": {"provider": "litellm", "model_id": "anthropic/claude-sonnet-4-5", **key},
        }[way] | {"temperature": 1, "max_tokens": 8000}

    def blueprint(self, way: str, changes: dict[str, Any] | None = None, **blocks: Any) -> Blueprint:
        """A blueprint that goes this way; a change to None takes a member away."""
        model = {name: value for name, value in (self.base(way) | (changes or {})).items() if value is not None}
        whole = {"id": "tide", "name": "Tide", "version": "1.0.0", "prompt_ref": "tide", "model": model}
        return Blueprint.model_validate(whole | blocks)

    def secrets(self) -> SecretStore:
        """A store of these secrets."""
        return SecretStore(
            prefix="strandline/test/", environment="test", client_factory=lambda: self.manager, clock=lambda: self.now
        )

    def source(self, plan: Blueprint) -> Any:
        """The source of a blueprint's model."""
        settings = RuntimeSettings(
            "test", "simulation", "s3://b/0.json", "strandline/test/", None, None, "127.0.0.1", 1
        )
        with warnings.catch_warnings():
            # LiteLLM's own, at its import.
            warnings.simplefilter("ignore")
            return build_model_source(plan, settings, self.secrets())

    def see(self, way: str, changes: dict[str, Any] | None = None, **blocks: Any) -> Seen:
        """Builds the model, asks it once, and tells what could be seen."""
        seen = Seen()
        self.api.requests.clear()
        self.openai.requests.clear()
        try:
            plan = self.blueprint(way, changes, **blocks)
            source = self.source(plan)
        except (StrandlineError, ValueError) as error:
            seen.error = error
            return seen
        asyncio.run(ask(plan, source, seen))
        for request in (*self.api.requests, *self.openai.requests):
            seen.requests.append((request.path, _meaningful(request.headers), request.body))
        return seen


async def ask(plan: Blueprint, source: Any, seen: Seen) -> None:
    """Asks a model once and notes what it does."""
    model_answers.set(seen.told)
    blocks = system_prompt_of(plan, "You know the tides.")
    try:
        model = await source.current()
        seen.model = type(model).__name__
        async for event in model.stream(
            [user("When?")], [LOOKUP], "You know the tides.", tool_choice=None, system_prompt_content=blocks
        ):
            seen.events.append(event)
    except Exception as error:
        seen.error = error
    await close(source)


async def close(source: Any) -> None:
    """Closes what a source holds, as the end of a process would."""
    model = getattr(source, "model", None)
    for holder in (getattr(model, "clients", None), getattr(source, "client", None)):
        if holder is not None:
            await holder.close()


def _meaningful(headers: Any) -> dict[str, str]:
    pairs = headers.items() if isinstance(headers, dict) else headers
    kept = {name.lower(): value for name, value in pairs}
    return {
        name: value
        for name, value in kept.items()
        if (name == "x-goog-api-key" or not name.startswith(_NOISE)) and not value.startswith("AWS4-")
    }


@pytest.fixture
def house(monkeypatch):
    """The providers of this machine."""
    with ProviderServer() as api, OpenAIServer(Reply(text="High water at six.")) as openai:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": api.url,
            "GOOGLE_VERTEX_BASE_URL": api.url,
            "ANTHROPIC_BASE_URL": api.url,
            "ANTHROPIC_API_BASE": api.url,
            "OPENAI_BASE_URL": openai.base_url,
            "LITELLM_PROXY_API_BASE": openai.base_url,
            "GUARDRAIL": "gr-1",
            "OTHER_GUARDRAIL": "gr-2",
            "GUARDRAIL_VERSION": "1",
            "OTHER_VERSION": "2",
        }.items():
            monkeypatch.setenv(name, value)
        yield House(api, openai)


@pytest.fixture(scope="session")
def account():
    """The JSON of a Google service account, with a key of its own; `token_uri` is to be set."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    def make(url: str, **changes: Any) -> str:
        known = {
            **{"type": "service_account", "project_id": "tide-project", "private_key_id": "1", "private_key": pem},
            **{"client_email": "tide@tide-project.iam.gserviceaccount.com", "token_uri": f"{url}/token"},
        }
        return json.dumps(known | changes)

    return make
