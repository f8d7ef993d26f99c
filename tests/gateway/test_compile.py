"""gateway.yaml compiled to the configuration of LiteLLM."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.compile import compile_config
from gateway.proxy.keys import MASTER_KEY
from gateway.settings import GatewaySettings, load_gateway
from gateway.target import GatewayTarget
from tests.gateway.documents import EVERYTHING, TWO_MODELS

PRODUCTION = GatewayTarget(profile="managed", execution_mode="production", redis=True, tasks=2)
PLAIN = GatewayTarget(profile="stateless", execution_mode="staging")
SIMULATION = GatewayTarget()


@pytest.fixture
def load(tmp_path: Path):
    def write(text: str) -> GatewaySettings:
        path = tmp_path / "gateway.yaml"
        path.write_text(text)
        return load_gateway(path)

    return write


@pytest.fixture
def compiled(load):
    def of(text: str, target: GatewayTarget = PLAIN) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load(compile_config(load(text), target))
        return config

    return of


def test_models_become_a_model_list_that_names_its_variables(compiled):
    config = compiled(TWO_MODELS)

    assert config["model_list"] == [
        {
            "model_name": "4.1",
            "litellm_params": {
                "model": "anthropic/claude-sonnet-4-5",
                "api_key": "os.environ/ANTHROPIC_API_KEY",
                "api_base": "https://proxy.example.com/v1",
            },
            "model_info": {"id": "4.1/1"},
        },
        {
            "model_name": "zeta",
            "litellm_params": {"model": "openai/gpt-5-mini", "api_key": "os.environ/OPENAI_API_KEY", "timeout": 60},
            "model_info": {"id": "zeta/1"},
        },
    ]
    assert config["general_settings"]["master_key"] == f"os.environ/{MASTER_KEY}"
    settings = config["litellm_settings"]
    assert (settings["drop_params"], settings["telemetry"], settings["json_logs"]) == (False, False, True)
    assert settings["turn_off_message_logging"] is True
    assert "set_verbose" not in settings


def test_the_order_of_the_file_makes_no_difference(load):
    first, second = ("  a: {model: ollama/a}\n", "  b: {model: ollama/b}\n")
    one = compile_config(load(f"models:\n{first}{second}"), PLAIN)
    assert compile_config(load(f"models:\n{second}{first}"), PLAIN) == one


def test_texts_that_yaml_1_1_would_change_reach_litellm_unchanged(compiled):
    texts = ["no", "1.10", "12:30", "2026-01-01", "a: b", "# x", "line one\nline two\n", "Grüße", " spaced "]
    for text in texts:
        quoted = yaml.safe_dump({"models": {"demo": {"model": "openai/b", "mock_response": text}}})
        config = compiled(quoted.replace("'2026-01-01'", '"2026-01-01"'))
        assert config["model_list"][0]["litellm_params"]["mock_response"] == text


def test_each_deployment_is_an_entry_with_an_id_of_its_own_that_limits_do_not_change(compiled):
    two = (
        "models:\n  gpt:\n    tier: 4\n    deployments:\n"
        "      - {model: openai/gpt-5-mini, api_key_env: OPENAI_API_KEY, weight: 3, priority: 1, rpm: 9}\n"
        "      - {model: bedrock/x.y, region: eu-central-1, weight: 1, priority: 2, max_parallel_requests: 5}\n"
    )
    entries = compiled(two)["model_list"]

    assert [entry["model_name"] for entry in entries] == ["gpt", "gpt"]
    assert [entry["model_info"] for entry in entries] == [
        {"id": "gpt/1", "strandline_tier": 4},
        {"id": "gpt/2", "strandline_tier": 4},
    ]
    assert entries[0]["litellm_params"] == {
        "model": "openai/gpt-5-mini",
        "api_key": "os.environ/OPENAI_API_KEY",
        "rpm": 9,
        "weight": 3,
        "order": 1,
    }
    assert entries[1]["litellm_params"] == {
        "model": "bedrock/x.y",
        "aws_region_name": "eu-central-1",
        "max_parallel_requests": 5,
        "weight": 1,
        "order": 2,
    }
    assert [one["model_info"] for one in compiled(two.replace("rpm: 9", "rpm: 8"))["model_list"]] == [
        entry["model_info"] for entry in entries
    ]


def test_google_is_given_its_service_account_and_its_place(compiled):
    text = (
        "models: {g: {model: vertex_ai/gemini-2.5-pro, region: us-central1, project: my-project, api_key_env: GOOGLE}}"
    )
    assert compiled(text)["model_list"][0]["litellm_params"] == {
        "model": "vertex_ai/gemini-2.5-pro",
        "vertex_credentials": "os.environ/GOOGLE",
        "vertex_project": "my-project",
        "vertex_location": "us-central1",
    }


def test_prices_for_a_million_tokens_become_prices_for_one_to_the_last_digit(compiled):
    text = "models: {m: {model: ollama/m, price: {input_usd: 0.4, output_usd: 1.6, cache_read_usd: 0.1}}}"
    params = compiled(text)["model_list"][0]["litellm_params"]
    assert (params["input_cost_per_token"], params["output_cost_per_token"]) == (4e-07, 1.6e-06)
    assert params["cache_read_input_token_cost"] == 1e-07


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("simple-shuffle", "simple-shuffle"),
        ("least-busy", "least-busy"),
        ("latency-based", "latency-based-routing"),
        ("cost-based", "cost-based-routing"),
    ],
)
def test_strategies_have_litellms_names(compiled, ours, theirs):
    assert compiled(f"{TWO_MODELS}routing: {{strategy: {ours}}}\n")["router_settings"]["routing_strategy"] == theirs


def test_an_alias_has_the_fallbacks_of_its_model(compiled):
    text = (
        "models:\n"
        "  big: {model: ollama/big, fallbacks: [small], context_window_fallbacks: [long]}\n"
        "  small: {model: ollama/small}\n  long: {model: ollama/long, content_policy_fallbacks: [big]}\n"
        "aliases: {code: big}\n"
    )
    router = compiled(text)["router_settings"]

    assert router["model_group_alias"] == {"code": "big"}
    assert router["fallbacks"] == [{"big": ["small"]}, {"code": ["small"]}]
    assert router["context_window_fallbacks"] == [{"big": ["long"]}, {"code": ["long"]}]
    assert router["content_policy_fallbacks"] == [{"long": ["big"]}]


def test_requests_and_tokens_a_minute_are_enforced_and_not_only_weighed(compiled):
    limited = TWO_MODELS.replace("timeout_seconds: 60", "rpm: 5")
    assert compiled(limited)["router_settings"]["optional_pre_call_checks"] == ["enforce_model_rate_limits"]
    assert "optional_pre_call_checks" not in compiled(TWO_MODELS)["router_settings"]


def test_a_parameter_is_dropped_for_the_models_that_say_so_and_no_other(compiled):
    text = TWO_MODELS.replace("timeout_seconds: 60", "unsupported_parameters: drop")
    dropping = {one["model_name"]: one["litellm_params"].get("drop_params") for one in compiled(text)["model_list"]}
    assert dropping == {"zeta": True, "4.1": None}


def test_without_a_database_our_own_authentication_stands_at_the_door(compiled):
    assert compiled(TWO_MODELS, PLAIN)["general_settings"]["custom_auth"] == "gateway.proxy.auth.authenticate"
    assert "custom_auth" not in compiled(TWO_MODELS, PRODUCTION)["general_settings"]


def test_a_redis_is_named_where_there_is_one(compiled):
    assert compiled(TWO_MODELS, PRODUCTION)["general_settings"]["coordination_redis"] == {
        "host": "os.environ/REDIS_HOST",
        "port": "os.environ/REDIS_PORT",
    }
    assert "coordination_redis" not in compiled(TWO_MODELS, PLAIN)["general_settings"]


def test_the_budget_of_the_gateway_is_set_where_somebody_counts_it(compiled):
    text = f"{TWO_MODELS}budget: {{max_usd: 100, per: week}}\n"
    settings = compiled(text, PRODUCTION)["litellm_settings"]
    assert (settings["max_budget"], settings["budget_duration"]) == (100, "7d")
    assert "max_budget" not in compiled(text, PLAIN)["litellm_settings"]


@pytest.mark.parametrize(
    ("cache", "target", "kind"),
    [
        ("{type: in-memory, ttl_seconds: 60}", PRODUCTION, "local"),
        ("{type: redis, ttl_seconds: 60}", PRODUCTION, "redis"),
        ("{type: semantic, ttl_seconds: 60, embedding_model: zeta}", PRODUCTION, "valkey-semantic"),
        ("{type: redis, ttl_seconds: 60}", SIMULATION, "local"),
        ("{type: semantic, ttl_seconds: 60, embedding_model: zeta}", SIMULATION, "local"),
    ],
)
def test_each_cache_has_its_kind(compiled, cache, target, kind):
    settings = compiled(f"{TWO_MODELS}cache: {cache}\n", target)["litellm_settings"]
    assert (settings["cache"], settings["cache_params"]["type"], settings["cache_params"]["ttl"]) == (True, kind, 60)


def test_no_cache_is_none(compiled):
    assert not {"cache", "cache_params"} & compiled(TWO_MODELS)["litellm_settings"].keys()


def test_simulation_has_no_deployment_but_the_simulators_and_needs_no_key(load, compiled):
    config = compiled(EVERYTHING, GatewayTarget(simulated_models=("vendor/model", "gpt")))
    text = compile_config(load(EVERYTHING), SIMULATION)

    assert {one["model_name"] for one in config["model_list"]} == {*load(EVERYTHING).models, "vendor/model"}
    for one in config["model_list"]:
        assert one["litellm_params"]["model"] == f"strandline/{one['model_name']}"
        assert not {"api_key", "api_base", "rpm"} & one["litellm_params"].keys()
    assert config["litellm_settings"]["custom_provider_map"] == [
        {"provider": "strandline", "custom_handler": "gateway.proxy.simulator.provider"}
    ]
    assert set(re.findall(r"os\.environ/(\w+)", text)) == {MASTER_KEY}
    assert not re.search(r"https?://", text)
    assert "guardrails" not in config


def test_elsewhere_nothing_is_simulated(compiled):
    config = compiled(EVERYTHING, GatewayTarget(execution_mode="production", simulated_models=("vendor/model",)))
    assert not any(one["litellm_params"]["model"].startswith("strandline/") for one in config["model_list"])
    assert "custom_provider_map" not in config["litellm_settings"]


def test_every_variable_of_the_configuration_is_a_secret_of_the_environment_or_the_gateways_own(load):
    settings = load(EVERYTHING)
    named = set(re.findall(r"os\.environ/(\w+)", compile_config(settings, PRODUCTION)))

    own = {MASTER_KEY, "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_SSL"}
    assert named - own == set(settings.secret_names)


def test_services_are_told_of_calls_by_what_their_clients_read(compiled):
    config = compiled(EVERYTHING, PRODUCTION)

    assert config["litellm_settings"]["callbacks"] == [
        "gateway.proxy.hooks.hooks",
        "otel",
        "langfuse_otel",
        "langsmith",
        "gateway.proxy.helicone.helicone",
    ]
    assert config["environment_variables"]["STRANDLINE_METRICS_NAMESPACE"] == "Tides/Gateway"
    assert config["environment_variables"]["LANGFUSE_SECRET_KEY"] == "os.environ/LANGFUSE_SECRET_KEY"
    assert config["environment_variables"]["OTEL_EXPORTER_OTLP_HEADERS"] == "os.environ/OTLP_HEADERS"


def test_guardrails_have_litellms_words(compiled):
    presidio, bedrock = compiled(EVERYTHING, PRODUCTION)["guardrails"]

    assert presidio["litellm_params"]["mode"] == ["pre_call", "post_call"]
    assert presidio["litellm_params"]["pii_entities_config"] == {"CREDIT_CARD": "BLOCK", "EMAIL_ADDRESS": "MASK"}
    assert bedrock["litellm_params"] == {
        "guardrail": "bedrock",
        "mode": ["pre_call", "during_call"],
        "default_on": False,
        "guardrailIdentifier": "a1b2c3",
        "guardrailVersion": "1",
        "aws_region_name": "us-east-1",
        "mask_request_content": True,
        "mask_response_content": True,
    }
