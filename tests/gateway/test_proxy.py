"""The real LiteLLM proxy on the configuration that `gateway.yaml` becomes."""

from __future__ import annotations

import os
import subprocess

import httpx
import openai
import pytest

from gateway.compile import compile_config
from gateway.image import LITELLM_VERSION
from gateway.settings import GatewaySettings, load_gateway
from gateway.target import GatewayTarget
from tests.support.litellm_proxy import MASTER_KEY, REPOSITORY, START_SECONDS, litellm_proxy, proxy_program
from tests.support.openai_server import OpenAIServer, Reply

PROVIDER_KEY = "sk-canary-provider-key"
TARGET = GatewayTarget(execution_mode="production")
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def provider():
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def config(tmp_path_factory, provider):
    demo = load_gateway(REPOSITORY / "blueprints" / "gateway.yaml").models["demo"].model_dump()
    settings = GatewaySettings.model_validate(
        {
            "models": {
                "demo": demo,
                "local": {"model": "openai/my-model", "api_key_env": "LOCAL_KEY", "api_base": provider.base_url},
                "broken": {"model": "openai/fault-400", "api_key_env": "LOCAL_KEY", "api_base": provider.base_url},
                "priced": {"model": "openai/gpt-4.1-mini", "api_key_env": "LOCAL_KEY", "api_base": provider.base_url},
                "silent": {
                    "model": "openai/fault-hang",
                    "api_key_env": "LOCAL_KEY",
                    "api_base": provider.base_url,
                    "timeout_seconds": 1,
                },
            }
        }
    )
    path = tmp_path_factory.mktemp("gateway") / "config.yaml"
    path.write_text(compile_config(settings, TARGET))
    return path


@pytest.fixture(scope="module")
def proxy(config):
    """The proxy's address and its log."""
    with litellm_proxy(config, LOCAL_KEY=PROVIDER_KEY) as running:
        yield running


@pytest.fixture
def client(proxy):
    with openai.OpenAI(base_url=f"{proxy[0]}/v1", api_key=MASTER_KEY, max_retries=0, timeout=60) as client:
        yield client


def test_program_has_the_version_of_the_image():
    told = subprocess.run(
        [proxy_program(), "--version"], capture_output=True, text=True, check=True, timeout=START_SECONDS
    )

    assert LITELLM_VERSION in told.stdout


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


@pytest.mark.parametrize("key", ["sk-wrong", PROVIDER_KEY, "sk-canary-master-ke"])
def test_other_keys_are_refused_in_the_shape_that_the_handler_knows(proxy, key):
    client = openai.OpenAI(base_url=f"{proxy[0]}/v1", api_key=key, max_retries=0)
    with client, pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(model="demo", messages=HELLO)

    assert refusal.value.type == "no_db_connection"
    assert MASTER_KEY not in str(refusal.value)


def test_call_without_a_key_is_refused(proxy):
    answer = httpx.post(f"{proxy[0]}/v1/chat/completions", json={"model": "demo", "messages": HELLO})

    # In the image 401; without prisma, which the lock leaves out, LiteLLM stumbles on its way to say so.
    assert answer.status_code in (401, 500)
    assert "choices" not in answer.json()


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


def test_no_key_stands_in_the_configuration_or_the_log(config, proxy, client):
    client.chat.completions.create(model="local", messages=HELLO)

    seen = config.read_text() + proxy[1].read_text()
    assert MASTER_KEY not in seen
    assert PROVIDER_KEY not in seen


def test_every_parameter_of_a_model_is_one_that_litellm_knows(config):
    """LiteLLM takes unknown keys in silence; its own types say which it knows."""
    check = """
import sys, yaml
import litellm
from litellm.types.router import LiteLLM_Params, ModelInfo
from litellm.proxy._types import ConfigGeneralSettings
config = yaml.safe_load(open(sys.argv[1]))
known = set(LiteLLM_Params.model_fields)
unknown = [key for model in config["model_list"] for key in model["litellm_params"] if key not in known]
unknown += [key for key in config["general_settings"] if key not in ConfigGeneralSettings.model_fields]
unknown += [key for key in config["litellm_settings"] if not hasattr(litellm, key)]
unknown += [key for key in config if key not in ("model_list", "litellm_settings", "general_settings")]
print(unknown)
"""
    environment = {"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    told = subprocess.run(
        [proxy_program().parent / "python", "-c", check, config],
        capture_output=True,
        text=True,
        env=environment,
        timeout=START_SECONDS,
        check=False,
    )

    assert told.stdout.strip().splitlines()[-1:] == ["[]"], told.stdout + told.stderr
