"""The real LiteLLM proxy on the configuration that `gateway.yaml` becomes."""

from __future__ import annotations

import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx
import openai
import pytest
from pydantic import BaseModel

from gateway.compile import compile_config
from gateway.image import LITELLM_VERSION
from gateway.settings import GatewaySettings, load_gateway
from gateway.target import GatewayTarget
from tests.support.litellm_proxy import MASTER_KEY, REPOSITORY, litellm_proxy
from tests.support.openai_server import OpenAIServer, Reply, ToolCall
from tests.support.proxy_log import request_lines

PROVIDER_KEY = "sk-canary-provider-key"
INFERENCE_KEY = "sk-canary-inference-key"
ALLOWED_FAILS = 2
TARGET = GatewayTarget(execution_mode="production")
HELLO = [{"role": "user", "content": "Hello"}]


class Word(BaseModel):
    word: str


@pytest.fixture(scope="module")
def provider():
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def config(tmp_path_factory, provider):
    demo = load_gateway(REPOSITORY / "blueprints" / "gateway.yaml").models["demo"].model_dump()
    here = {"api_key_env": "LOCAL_KEY", "api_base": provider.base_url}
    settings = GatewaySettings.model_validate(
        {
            "retries": {"count": 0},
            "cooldown": {"allowed_fails": ALLOWED_FAILS, "seconds": 600},
            "models": {
                "demo": demo,
                "local": {"model": "openai/my-model", **here},
                "broken": {"model": "openai/fault-400", **here},
                "priced": {"model": "openai/gpt-4.1-mini", "tier": 3, **here},
                "silent": {"model": "openai/fault-hang", "timeout_seconds": 1, **here},
                "waiting": {"model": "openai/waiting", **here},
                "strong": {"model": "openai/fault-500", "tier": 9, "fallbacks": ["priced"], **here},
                "equal": {"model": "openai/fault-503", "tier": 3, "fallbacks": ["priced"], **here},
                "untold": {"model": "openai/fault-503", "fallbacks": ["local"], **here},
                "throttled": {"model": "openai/fault-429", **here},
                "dropping": {"model": "perplexity/sonar", "unsupported_parameters": "drop", **here},
                "refusing": {"model": "perplexity/sonar", **here},
                "limited": {"model": "openai/limited", "rpm": 2, **here},
                "rested": {
                    "deployments": [
                        {"model": "openai/failing", "priority": 1, **here},
                        {"model": "openai/healthy", "priority": 2, **here},
                    ]
                },
            },
        }
    )
    path = tmp_path_factory.mktemp("gateway") / "config.yaml"
    path.write_text(compile_config(settings, TARGET))
    return path


@pytest.fixture(scope="module")
def proxy(config):
    """The proxy's address and its log."""
    with litellm_proxy(config, LOCAL_KEY=PROVIDER_KEY, STRANDLINE_GATEWAY_KEY=INFERENCE_KEY) as running:
        yield running


@pytest.fixture
def client(proxy):
    with openai.OpenAI(base_url=f"{proxy[0]}/v1", api_key=INFERENCE_KEY, max_retries=0, timeout=60) as client:
        yield client


def test_program_has_the_version_of_the_image(client):
    answer = client.chat.completions.with_raw_response.create(model="demo", messages=HELLO)

    assert answer.headers["x-litellm-version"] == LITELLM_VERSION


def test_demo_model_answers_without_a_provider(client):
    answer = client.chat.completions.create(model="demo", messages=HELLO, temperature=0.2, max_tokens=50)

    assert answer.choices[0].message.content.startswith("Hello from the gateway.")
    assert answer.usage.total_tokens > 0


def test_demo_model_answers_as_a_stream_with_usage_and_cost(client):
    chunks = list(
        client.chat.completions.create(
            model="demo", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith("Hello from the gateway.")
    assert chunks[-1].usage.total_tokens > 0
    assert chunks[-1].usage.cost > 0


def test_model_with_an_address_is_asked_there_with_its_key(client, provider):
    before = len(provider.requests)

    answer = client.chat.completions.create(model="local", messages=HELLO, temperature=0.3, max_tokens=9)

    request = provider.requests[before]
    assert answer.choices[0].message.content == provider.default.text
    assert (request.path, request.key) == ("/v1/chat/completions", PROVIDER_KEY)
    assert (request.body["model"], request.body["temperature"], request.body["max_tokens"]) == ("my-model", 0.3, 9)
    assert MASTER_KEY not in str(request)


def test_stream_of_a_provider_passes_through_with_its_cost(client, provider):
    provider.script("gpt-4.1-mini", Reply(text="One two three", prompt_tokens=1000, completion_tokens=1000))

    chunks = list(
        client.chat.completions.create(
            model="priced", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "One two three"
    assert chunks[-1].usage.cost == pytest.approx(1000 * 0.4e-6 + 1000 * 1.6e-6)


def test_answer_names_the_model_that_gave_it(client):
    answer = client.chat.completions.with_raw_response.create(model="priced", messages=HELLO)

    assert answer.headers["x-litellm-model-name"] == "openai/gpt-4.1-mini"
    assert float(answer.headers["x-litellm-response-cost"]) > 0


@pytest.mark.parametrize("key", ["sk-wrong", PROVIDER_KEY, MASTER_KEY[:-1], INFERENCE_KEY + "x", "schlüssel"])
def test_other_keys_are_refused_as_openai_refuses_them(proxy, key):
    answer = httpx.post(
        f"{proxy[0]}/v1/chat/completions",
        json={"model": "demo", "messages": HELLO},
        headers={"Authorization": f"Bearer {key}".encode()},
    )

    error = answer.json()["error"]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "invalid_api_key")
    assert "sk-" not in answer.text


def test_call_without_a_key_is_refused(proxy):
    answer = httpx.post(f"{proxy[0]}/v1/chat/completions", json={"model": "demo", "messages": HELLO})

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/model/info"),
        ("POST", "/key/generate"),
        ("GET", "/health"),
        ("POST", "/v1/chat/completions/"),
        ("GET", "/config/yaml"),
        # By these a caller would reach any path of a provider with the gateway's key for it.
        ("POST", "/openai/v1/files"),
        ("POST", "/v1/batches"),
    ],
)
def test_key_for_inference_opens_nothing_else(proxy, method, path):
    answer = httpx.request(method, proxy[0] + path, headers={"Authorization": f"Bearer {INFERENCE_KEY}"})

    assert answer.status_code in (307, 403)
    if answer.status_code == 403:
        assert answer.json()["error"]["type"] == "permission_denied"


def test_master_key_opens_what_is_an_operators(proxy):
    answer = httpx.get(f"{proxy[0]}/model/info", headers={"Authorization": f"Bearer {MASTER_KEY}"})

    assert answer.status_code == 200
    assert "priced" in {model["model_name"] for model in answer.json()["data"]}


def test_model_that_is_not_in_the_file_is_refused(client):
    with pytest.raises(openai.APIStatusError) as refusal:
        client.chat.completions.create(model="openai/gpt-5", messages=HELLO)

    assert refusal.value.status_code in (400, 404)


def test_parameter_that_the_provider_refuses_is_an_error_and_not_dropped(client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="broken", messages=HELLO)


def test_provider_that_falls_silent_is_given_up_after_the_models_timeout(client):
    with pytest.raises(openai.APIStatusError) as refusal:
        client.chat.completions.create(model="silent", messages=HELLO)

    assert refusal.value.status_code in (408, 504)


@pytest.mark.parametrize("stream", [False, True])
def test_answer_of_a_weaker_model_says_so(client, stream):
    answer = client.chat.completions.with_raw_response.create(model="strong", messages=HELLO, stream=stream)

    assert answer.headers["x-strandline-tier-fallback"] == "true"
    assert answer.headers["x-litellm-model-name"] == "openai/gpt-4.1-mini"
    assert b'"choices"' in answer.http_response.read()


def test_answer_of_a_model_of_unknown_tier_is_told_as_a_weaker_ones(client):
    answer = client.chat.completions.with_raw_response.create(model="untold", messages=HELLO)

    assert answer.headers["x-strandline-tier-fallback"] == "true"


@pytest.mark.parametrize("model", ["equal", "priced"])
def test_answer_of_a_model_as_strong_does_not(client, model):
    answer = client.chat.completions.with_raw_response.create(model=model, messages=HELLO)

    assert "x-strandline-tier-fallback" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
def test_parameters_that_were_left_out_are_named(client, provider, stream):
    before = len(provider.requests)

    answer = client.chat.completions.with_raw_response.create(
        model="dropping", messages=HELLO, seed=7, logit_bias={"1": 2}, temperature=0.5, n=1, stream=stream
    )

    assert answer.headers["x-strandline-dropped-params"] == "logit_bias,seed"
    sent = provider.requests[before].body
    assert sent["temperature"] == 0.5
    assert not {"seed", "logit_bias"} & set(sent)
    assert b'"choices"' in answer.http_response.read()


def test_header_is_absent_when_everything_was_passed_on(client):
    answer = client.chat.completions.with_raw_response.create(
        model="dropping", messages=HELLO, temperature=0.5, max_tokens=50, user="somebody"
    )

    assert "x-strandline-dropped-params" not in answer.headers


def test_parameter_that_litellm_would_leave_out_is_refused_by_default(client):
    with pytest.raises(openai.BadRequestError, match="seed"):
        client.chat.completions.create(model="refusing", messages=HELLO, seed=7)


def test_deployment_that_fails_rests_and_the_other_answers(client, provider):
    provider.script("failing", Reply(status=500))
    asked = 8

    for _ in range(asked):
        with contextlib.suppress(openai.InternalServerError):
            client.chat.completions.create(model="rested", messages=HELLO)

    answer = client.chat.completions.with_raw_response.create(model="rested", messages=HELLO)
    failed = [request for request in provider.requests if request.body["model"] == "failing"]
    assert answer.headers["x-litellm-model-name"] == "openai/healthy"
    assert 1 <= len(failed) <= ALLOWED_FAILS + 1 < asked


def test_limit_of_a_deployment_is_told_with_its_owner_and_reset(client):
    refusals = []
    for _ in range(3):
        try:
            client.chat.completions.create(model="limited", messages=HELLO)
        except openai.RateLimitError as refusal:
            refusals.append(refusal)

    (refusal,) = refusals
    assert (refusal.type, refusal.code) == ("rate_limit_exceeded", "rate_limit_exceeded")
    assert refusal.body["owner"] == {"kind": "model", "name": "limited"}
    assert refusal.body["limit"] == {"of": "requests", "value": 2}
    assert datetime.fromisoformat(refusal.body["resets_at"]).tzinfo is not None
    assert 1 <= int(refusal.response.headers["retry-after"]) <= 60
    assert refusal.response.headers["x-should-retry"] == "true"


def test_limit_of_a_provider_is_told_without_its_words(client, provider):
    told = Reply(status=429, error="Organization org-canary is over its limit", headers={"Retry-After": "7"})
    provider.script("fault-429", told)

    with pytest.raises(openai.RateLimitError) as refusal:
        client.chat.completions.create(model="throttled", messages=HELLO)

    assert refusal.value.type == "rate_limit_exceeded"
    assert refusal.value.body["owner"] == {"kind": "provider", "name": "openai"}
    assert "org-canary" not in str(refusal.value)
    assert 1 <= int(refusal.value.response.headers["retry-after"]) <= 7


def test_schema_of_an_answer_reaches_the_provider(client, provider):
    provider.script("my-model", Reply(text='{"word": "tide"}'))
    before = len(provider.requests)

    answer = client.chat.completions.parse(model="local", messages=HELLO, response_format=Word)

    assert answer.choices[0].message.parsed == Word(word="tide")
    assert provider.requests[before].body["response_format"]["json_schema"]["schema"]["required"] == ["word"]


def test_tool_calls_come_through_a_stream(client, provider):
    provider.script("my-model", Reply(text="", tool_calls=(ToolCall("lookup", {"word": "tide"}),)))
    tool = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}}}

    with client.chat.completions.stream(model="local", messages=HELLO, tools=[tool]) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls

    assert (call.function.name, json.loads(call.function.arguments)) == ("lookup", {"word": "tide"})


def test_each_request_has_one_line_with_what_it_cost_and_without_a_word_of_it(client, proxy, provider):
    provider.script("gpt-4.1-mini", Reply(text="Word of the answer", prompt_tokens=1000, completion_tokens=1000))
    words = [{"role": "user", "content": "Word of the prompt"}]

    answer = client.chat.completions.with_raw_response.create(model="priced", messages=words)

    (line,) = request_lines(proxy[1], call_id=answer.headers["x-litellm-call-id"])
    assert (line["Requests"], line["Errors"], line["TierFallbacks"], line["UnpricedRequests"]) == (1, 0, 0, 0)
    assert line["CostUsd"] == pytest.approx(1000 * 0.4e-6 + 1000 * 1.6e-6)
    assert (line["PromptTokens"], line["CompletionTokens"]) == (1000, 1000)
    assert (line["model"], line["answered_by"]) == ("priced", "openai/gpt-4.1-mini")
    assert line["owner"] == "STRANDLINE_GATEWAY_KEY"
    assert "Word of the" not in proxy[1].read_text()


def test_line_of_a_stream_is_written_when_it_is_over(client, proxy):
    answer = client.chat.completions.with_raw_response.create(
        model="priced", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    assert b"[DONE]" in answer.http_response.read()

    (line,) = request_lines(proxy[1], call_id=answer.headers["x-litellm-call-id"])
    assert line["PromptTokens"] > 0
    assert line["Latency"] >= line["TimeToFirstByte"] > 0


def test_tokens_without_a_price_are_warned_of(client, proxy):
    answer = client.chat.completions.with_raw_response.create(model="local", messages=HELLO)

    (line,) = request_lines(proxy[1], call_id=answer.headers["x-litellm-call-id"])
    assert (line["UnpricedRequests"], line["CostUsd"], line["level"]) == (1, 0.0, "WARNING")
    assert "price" in line["message"]


def test_fallback_and_refusals_are_counted(client, proxy):
    client.chat.completions.create(model="strong", messages=HELLO)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="throttled", messages=HELLO)

    assert request_lines(proxy[1], model="strong")[-1]["TierFallbacks"] == 1
    refused = request_lines(proxy[1], model="throttled")[-1]
    assert (refused["RateLimitRefusals"], refused["Errors"], refused["status"]) == (1, 0, 429)


def test_requests_that_wait_for_a_provider_hold_nobody_else_up(client, proxy, provider):
    """A hook that waits in the proxy's event loop would stop everything, the health check included."""
    go_on = threading.Event()
    provider.script("waiting", Reply(text="Late", stop_after=1, until=go_on))
    before = len(provider.requests)
    many = 40

    def ask(_):
        return client.chat.completions.create(model="waiting", messages=HELLO, stream=True)

    with ThreadPoolExecutor(many) as pool:
        streams = pool.map(ask, range(many))
        provider.wait_for_requests(before + many)
        alive = httpx.get(f"{proxy[0]}/health/liveliness", timeout=30).status_code
        other = client.chat.completions.create(model="demo", messages=HELLO)
        go_on.set()
        answers = ["".join(chunk.choices[0].delta.content or "" for chunk in stream) for stream in streams]

    assert alive == 200
    assert other.choices[0].message.content.startswith("Hello from the gateway.")
    assert answers == ["Late"] * many


def test_no_key_stands_in_the_configuration_or_the_log(config, proxy, client):
    client.chat.completions.create(model="local", messages=HELLO)

    seen = config.read_text() + proxy[1].read_text()
    assert MASTER_KEY not in seen
    assert INFERENCE_KEY not in seen
    assert PROVIDER_KEY not in seen
