"""What really answered, told by the real LiteLLM proxy, and by LiteLLM in this process."""

from __future__ import annotations

import asyncio
import json

import pytest

from agent_runtime.model_answers import ModelAnswers, model_answers
from agent_runtime.openai_client import OpenAICompatibleClient
from agent_runtime.providers.leases import CredentialReader, LeasedClients
from agent_runtime.secret_store import SecretStore
from tests.support.litellm_proxy import MASTER_KEY, litellm_proxy
from tests.support.openai_server import OpenAIServer, Reply
from tests.support.secrets_manager import SecretsManager

pytestmark = pytest.mark.filterwarnings("ignore")

QUESTION = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def provider():
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, provider):
    """A proxy with a model that has a price, one that has none, one that fails, and one that drops parameters."""
    base = {"api_key": "sk-provider", "api_base": provider.base_url}
    models = {
        "priced": {"model": "openai/gpt-4.1-mini"},
        "unpriced": {"model": "openai/my-model"},
        "failing": {"model": "openai/fault-429"},
        "dropping": {"model": "openai/o3-mini", "drop_params": True},
    }
    config = {
        "model_list": [{"model_name": name, "litellm_params": params | base} for name, params in models.items()],
        "litellm_settings": {
            **{"telemetry": False, "include_cost_in_streaming_usage": True, "num_retries": 0},
            "fallbacks": [{"failing": ["priced"]}],
        },
        "general_settings": {"master_key": MASTER_KEY},
    }
    path = tmp_path_factory.mktemp("gateway") / "config.yaml"
    # JSON is YAML.
    path.write_text(json.dumps(config))
    with litellm_proxy(path) as (url, _):
        yield url


@pytest.fixture(params=[True, False], ids=["streamed", "whole"])
def told(request, proxy):
    """What is told of the answer of a model of the proxy."""

    def ask(model, **more):
        answers = ModelAnswers()

        async def call():
            model_answers.set(answers)
            client = OpenAICompatibleClient(
                base_url=f"{proxy}/v1", api_key_env="KEY", extra_headers_env={}, secrets=_secrets(KEY=MASTER_KEY)
            )
            asked = {"model": model, "messages": QUESTION, "stream": request.param} | more
            if request.param:
                asked["stream_options"] = {"include_usage": True}
            answer = await client.answer(asked)
            if request.param:
                async for _ in answer.completion:
                    pass
            await client.close()

        asyncio.run(call())
        return answers.as_members(model)

    return ask


def _secrets(**values):
    manager = SecretsManager(**values)
    return SecretStore(prefix="strandline/test/", environment="test", client_factory=lambda: manager, clock=lambda: 0.0)


def test_the_deployment_its_cost_and_the_gateways_overhead_are_told(told, request):
    members = told("priced")

    assert members["model"]["answered"] == "openai/gpt-4.1-mini"
    assert (members["model"]["fallback"], members["model"]["attempts"]) == (False, 1)
    assert members["cost_usd"] == pytest.approx(1.56e-05)
    # A stream's headers leave before its cost is known.
    streamed = "streamed" in request.node.name
    assert members["cost_source"] == ("response_body" if streamed else "gateway_header")
    assert members["gateway"]["overhead_ms"] > 0
    assert len(members["gateway"]["call_ids"]) == 1
    assert members["warnings"] == []


def test_a_fallback_is_told(told):
    members = told("failing")

    assert (members["model"]["requested"], members["model"]["answered"]) == ("failing", "openai/gpt-4.1-mini")
    assert (members["model"]["fallback"], members["model"]["attempts"]) == (True, 2)
    assert [warning["type"] for warning in members["warnings"]] == ["fallback"]


def test_a_model_without_a_price_is_told(told):
    members = told("unpriced")

    assert [warning["type"] for warning in members["warnings"]] == ["zero_cost"]


def test_a_limit_that_the_provider_ignored_is_told(told, provider):
    provider.script("gpt-4.1-mini", Reply(completion_tokens=900))
    try:
        members = told("priced", max_tokens=50)
    finally:
        provider.script("gpt-4.1-mini", Reply())

    assert [warning["type"] for warning in members["warnings"]] == ["dropped_parameter"]


def test_what_the_proxy_drops_by_itself_it_tells_nobody(told, provider):
    """What cannot be known: as soon as LiteLLM tells, this fails and can be made better."""
    members = told("dropping", top_p=0.5, temperature=0.3)

    assert "top_p" not in provider.requests[-1].body
    assert members["warnings"] == []


@pytest.fixture
def named(provider):
    """Asks a model by LiteLLM in this process, whose provider it finds by the name."""
    from agent_runtime.providers.litellm_models import named_model

    async def nothing(_):
        return None

    def ask(model_id, *, stream=True, **params):
        answers = ModelAnswers()

        async def call():
            model_answers.set(answers)
            reader = CredentialReader(_secrets(KEY="sk-provider"), "KEY", {})
            model = named_model(
                LeasedClients(reader, lambda credentials: credentials, nothing),
                caches_tools=False,
                client_args={"api_base": provider.base_url},
                retries=0,
                model_id=model_id,
                params=params,
                stream=stream,
            )
            async for _ in model.stream([{"role": "user", "content": [{"text": "Hello"}]}]):
                pass

        asyncio.run(call())
        return answers.as_members(model_id)

    return ask


@pytest.mark.parametrize("stream", [True, False])
def test_litellms_own_prices_tell_the_cost_where_the_provider_does_not(named, stream):
    members = named("openai/gpt-4.1-mini", stream=stream)

    assert members["cost_usd"] == pytest.approx(1.56e-05)
    assert members["cost_source"] == "litellm_prices"
    assert (members["model"]["calls"], members["model"]["attempts"]) == (1, 1)
    assert members["warnings"] == []


def test_a_model_that_litellm_knows_no_price_of_has_no_cost(named):
    members = named("openai/my-model")

    assert (members["cost_usd"], members["cost_source"], members["warnings"]) == (None, None, [])


def test_what_litellm_drops_in_this_process_is_told(named, provider):
    members = named("openai/o3-mini", drop_params=True, temperature=0.3, top_p=0.5, seed=7)

    assert {"temperature", "top_p"} & provider.requests[-1].body.keys() == set()
    assert provider.requests[-1].body["seed"] == 7
    assert {warning["type"] for warning in members["warnings"]} == {"dropped_parameter"}
    assert [warning["message"].split()[2] for warning in members["warnings"]] == ["temperature", "top_p"]
