"""What operators ask a gateway, and how several models are compared: against the real LiteLLM proxy."""

from __future__ import annotations

import json
import socket

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.cli import app
from strandline.comparison import compare_models
from strandline.gateway_client import GatewayClient, GatewayRefusal, open_gateway
from strandline.gateway_reports import check_health, list_keys, list_models
from tests.support.litellm_proxy import MASTER_KEY, litellm_proxy
from tests.support.openai_server import OpenAIServer, Reply

PROVIDER_KEY = "sk-canary-provider-key"


@pytest.fixture(scope="module")
def provider():
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def client(provider, tmp_path_factory):
    def deployment(name, model, **more):
        there = {"api_base": provider.base_url, "api_key": "os.environ/LOCAL_KEY", "num_retries": 0}
        return {"model_name": name, "litellm_params": {"model": model, **there, **more}}

    config = {
        "model_list": [
            deployment("quick", "openai/gpt-4.1-mini", rpm=600, tpm=90_000),
            deployment("quick", "openai/gpt-4.1"),
            deployment("steady", "openai/my-model"),
            deployment("failing", "openai/fault-500"),
            deployment("replaced", "openai/fault-429"),
            deployment("broken-off", "openai/breaks-off"),
        ],
        "router_settings": {"num_retries": 0},
        "litellm_settings": {"include_cost_in_streaming_usage": True, "fallbacks": [{"replaced": ["steady"]}]},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    file = tmp_path_factory.mktemp("gateway") / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    with litellm_proxy(file, LOCAL_KEY=PROVIDER_KEY) as (url, _):
        yield GatewayClient(url, MASTER_KEY)


def test_models_are_listed_with_prices_limits_and_every_deployment(client):
    found = list_models(client)

    assert [(one.name, one.model) for one in found] == [
        ("broken-off", "openai/breaks-off"),
        ("failing", "openai/fault-500"),
        ("quick", "openai/gpt-4.1"),
        ("quick", "openai/gpt-4.1-mini"),
        ("replaced", "openai/fault-429"),
        ("steady", "openai/my-model"),
    ]
    mini = next(one for one in found if one.model == "openai/gpt-4.1-mini")
    assert (mini.input_usd, mini.output_usd, mini.context_tokens) == (0.4, 1.6, 1_047_576)
    assert (mini.rpm, mini.tpm) == (600, 90_000)
    unpriced = next(one for one in found if one.name == "steady")
    assert unpriced.context_tokens is None


def test_models_are_shown_in_a_table(client, monkeypatch):
    monkeypatch.setattr("strandline.commands.gateway.open_target", lambda *_: None)
    monkeypatch.setattr("strandline.gateway_client.open_gateway", lambda *_: client)
    monkeypatch.setattr("strandline.commands.gateway.stdout", Console(width=160))

    done = CliRunner().invoke(app, ["gateway", "models", "--env", "local"])

    row = ["quick", "openai/gpt-4.1-mini", "0.4", "1.6", "1,047,576", "600", "90,000"]
    assert row in [line.split() for line in done.output.splitlines()]


def test_no_listing_holds_a_key(client):
    assert PROVIDER_KEY not in str(list_models(client))


def test_health_tells_version_and_that_there_is_no_database(client):
    found = check_health(client)

    assert (found.status, found.database, found.cache) == ("healthy", None, None)
    assert found.version
    assert found.in_flight >= 1  # the question itself
    assert found.models is None
    assert found.is_good


def test_health_asks_each_model_on_demand_and_tells_of_a_failure_no_text(client):
    found = check_health(client, models=True)

    healthy = {model["model"]: model["healthy"] for model in found.models}
    assert healthy["openai/gpt-4.1-mini"] is True
    assert healthy["openai/fault-500"] is False
    assert not found.is_good
    assert all(set(model) == {"model", "healthy", "status"} for model in found.models)


def test_models_are_compared_in_the_order_of_the_question(client, provider):
    provider.script("gpt-4.1-mini", Reply(text="One two", prompt_tokens=1000, completion_tokens=500))
    provider.script("gpt-4.1", Reply(text="One two", prompt_tokens=1000, completion_tokens=500))

    steady, quick = compare_models(client, ["steady", "quick"], "Count.", max_tokens=7)

    assert (steady.model, quick.model) == ("steady", "quick")
    assert steady.text == provider.default.text
    assert quick.text == "One two"
    assert quick.answered_by in ("openai/gpt-4.1-mini", "openai/gpt-4.1")
    assert (quick.input_tokens, quick.output_tokens) == (1000, 500)
    price = 1000 * 0.4e-6 + 500 * 1.6e-6
    assert quick.cost_usd == pytest.approx(price if quick.answered_by.endswith("mini") else 5 * price)
    assert 0 < quick.first_text_ms <= quick.latency_ms
    assert (quick.fallback, quick.weaker, quick.error) == (False, False, None)
    assert {request.body["max_tokens"] for request in provider.requests[-2:]} == {7}


def test_replies_stand_side_by_side_in_a_table(client, monkeypatch):
    monkeypatch.setattr("strandline.commands.compare.open_target", lambda *_: None)
    monkeypatch.setattr("strandline.gateway_client.open_inference", lambda *_: client)
    monkeypatch.setattr("strandline.commands.compare.stdout", Console(width=160))

    done = CliRunner().invoke(app, ["compare", "steady", "replaced", "steady", "--prompt", "Hi", "--env", "local"])

    assert done.exit_code == 0, done.output
    heading, *rows = [line for line in done.output.splitlines() if "steady" in line or "│" in line]
    assert heading.count("steady") == 1
    assert "openai/my-model (a fallback)" in "".join(rows)
    assert "11 in, 7 out" in "".join(rows)


def test_an_answer_of_another_model_says_so(client):
    (reply,) = compare_models(client, ["replaced"], "Hello")

    assert reply.fallback
    assert reply.answered_by == "openai/my-model"


def test_a_model_that_fails_leaves_the_others_their_answers(client, provider):
    provider.script("breaks-off", Reply(text="One two three four five six seven eight", cut_after=6, pause=0.05))
    replies = compare_models(client, ["failing", "unknown", "broken-off", "steady"], "Hello")
    failing, unknown, broken_off, steady = replies

    assert "status 500" in failing.error
    assert "strandline gateway models" in unknown.error
    assert "broke off" in broken_off.error
    assert broken_off.text.startswith("One two")
    assert steady.text == provider.default.text
    assert steady.error is None
    # What a provider or LiteLLM writes into an error is theirs.
    assert "litellm" not in json.dumps([reply.as_dict() for reply in replies[:3]]).lower()


def test_a_refused_key_is_said_without_the_key(client):
    other = GatewayClient(client.url, "sk-canary-other")
    for ask in (lambda: list_models(other), lambda: compare_models(other, ["steady"], "Hello")):
        with pytest.raises(GatewayRefusal) as refused:
            ask()
        assert refused.value.is_about_the_key
        assert "LITELLM_MASTER_KEY" in str(refused.value)
        assert "canary" not in str(refused.value)


def test_a_route_that_needs_a_database_is_refused_with_its_status(client):
    with pytest.raises(GatewayRefusal, match="status 500") as refused:
        list_keys(client)
    assert refused.value.exit_code == 2


def test_an_address_where_nothing_listens_is_said():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(EnvironmentFault, match="Nothing answers at"):
            list_models(GatewayClient(url, "sk-canary-key"))


def test_a_private_address_that_cannot_be_reached_is_told_with_the_way_there():
    with pytest.raises(EnvironmentFault) as fault:
        list_models(GatewayClient("http://gateway.strandline.invalid:4000", "sk-canary-key"))

    told = str(fault.value)
    assert "AWS-StartPortForwardingSessionToRemoteHost" in told
    assert 'host="gateway.strandline.invalid",portNumber="4000"' in told
    assert "--url http://127.0.0.1:4000" in told
    assert "canary" not in told


def test_a_server_that_is_no_gateway_is_said(provider):
    with pytest.raises(EnvironmentFault):
        list_models(GatewayClient(provider.base_url, "sk-canary-key"))


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://gateway.example.com:4000", "plain text"),
        ("http://127.0.0.1.example.com", "plain text"),
        ("gateway.example.com", "not an address"),
        ("ftp://127.0.0.1", "not an address"),
        ("https://user:word@gateway.example.com", "not an address"),
    ],
)
def test_an_address_that_would_leak_the_key_is_refused_before_the_key_is_read(url, part):
    with pytest.raises(InputError, match=part):
        open_gateway(None, url)
