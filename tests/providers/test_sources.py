"""The ways to a model that do not go through a `base_url`: LiteLLM's providers and Amazon Bedrock."""

from __future__ import annotations

import asyncio
import threading
import warnings

import pytest

from agent_runtime.errors import EnvironmentFault
from agent_runtime.models import (
    BedrockProviderModel,
    LiteLLMProviderModel,
    OpenAICompatibleModel,
    build_model_source,
)
from agent_runtime.secret_store import CACHE_SECONDS, SecretStore
from tests.runtime.conftest import KEY
from tests.runtime.handler import blueprint, settings

HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


@pytest.fixture
def secrets(secrets_manager, clock):
    return SecretStore(
        prefix="strandline/test/", environment="test", client_factory=lambda: secrets_manager, clock=clock
    )


@pytest.fixture
def build(secrets):
    def make(plan, **changes):
        with warnings.catch_warnings():
            # LiteLLM's own, at its import.
            warnings.simplefilter("ignore")
            return build_model_source(plan, settings(**changes), secrets)

    return make


def _bedrock():
    return blueprint({"provider": "bedrock", "model_id": "eu.anthropic.claude-sonnet-4-5"})


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        (_bedrock(), BedrockProviderModel),
        (blueprint({"base_url": "https://models.example.com/v1"}), OpenAICompatibleModel),
        (blueprint({"model_id": "openai/gpt-5-mini"}), LiteLLMProviderModel),
    ],
)
def test_blueprint_decides_on_the_way_and_reads_no_secret(build, secrets_manager, plan, kind):
    assert isinstance(build(plan), kind)
    assert secrets_manager.calls == []


@pytest.mark.parametrize("address", ["http://gateway.example:4000", "http://gateway.example:4000/"])
def test_agent_of_the_gateway_uses_its_address_and_key(build, address):
    source = build(
        blueprint({"base_url": "gateway"}), STRANDLINE_GATEWAY_URL=address, STRANDLINE_GATEWAY_KEY="GATEWAY_KEY"
    )

    client = source._model._custom_client
    assert (client._base_url, client._api_key_env) == ("http://gateway.example:4000/v1", "GATEWAY_KEY")


def test_agents_own_key_goes_before_the_gateways(build):
    plan = blueprint({"base_url": "gateway", "api_key_env": "MODEL_KEY"})

    source = build(plan, STRANDLINE_GATEWAY_URL="http://gateway.example", STRANDLINE_GATEWAY_KEY="GATEWAY_KEY")

    assert source._model._custom_client._api_key_env == "MODEL_KEY"


def test_gateways_key_goes_to_no_other_endpoint(build):
    plan = blueprint({"base_url": "https://models.example.com/v1"})

    source = build(plan, STRANDLINE_GATEWAY_URL="http://gateway.example", STRANDLINE_GATEWAY_KEY="GATEWAY_KEY")

    assert source._model._custom_client._api_key_env is None


def test_agent_of_the_gateway_needs_the_address(build):
    with pytest.raises(EnvironmentFault, match="STRANDLINE_GATEWAY_URL"):
        build(blueprint({"base_url": "gateway"}))


@pytest.mark.filterwarnings("ignore")
def test_litellm_is_given_the_key_and_the_headers_and_both_anew_after_a_rotation(
    build, endpoint, secrets_manager, clock, monkeypatch
):
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
    headers = {"X-Team": "TEAM"}
    source = build(blueprint({"model_id": "openai/my-model", "api_key_env": "MODEL_KEY", "extra_headers_env": headers}))

    async def ask():
        return [event async for event in (await source.current()).stream(HELLO, system_prompt="Tides.")]

    async def run():
        await ask()
        kept = await source.current() is await source.current()
        secrets_manager.put("MODEL_KEY", "sk-new")
        secrets_manager.put("TEAM", "new-team")
        clock.now += CACHE_SECONDS
        await ask()
        return kept

    assert asyncio.run(run())
    first, second = endpoint.requests
    assert (first.key, first.header("x-team")) == (KEY, "canary-team-9f3c")
    assert (second.key, second.header("x-team")) == ("sk-new", "new-team")
    assert (first.body["model"], first.body["temperature"], first.body["max_tokens"]) == ("my-model", 0.25, 321)


def test_bedrocks_client_is_made_once_by_the_first_request_and_off_the_loop(build, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    source = build(_bedrock())
    made_by = []
    real = source._build

    def build_in_sight(**arguments):
        made_by.append(threading.current_thread())
        return real(**arguments)

    source._build = build_in_sight

    async def run():
        return await asyncio.gather(*(source.current() for _ in range(8)))

    models = asyncio.run(run())

    assert len({id(model) for model in models}) == len(made_by) == 1
    assert made_by[0] is not threading.main_thread()
    config = models[0].get_config()
    assert (config["model_id"], config["temperature"], config["max_tokens"]) == (
        "eu.anthropic.claude-sonnet-4-5",
        0.25,
        321,
    )
