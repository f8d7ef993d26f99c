"""Compiled configurations and tables held to the LiteLLM that is locked, by its own types; run by its own Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.compile import compile_config
from gateway.facts import known_price, litellm_version, providers, refused_parameters
from gateway.image import LITELLM_VERSION
from gateway.settings import load_gateway
from gateway.target import GatewayTarget
from tests.gateway.documents import EVERYTHING, TWO_MODELS
from tests.support.litellm_proxy import REPOSITORY, START_SECONDS, proxy_python

CHECKER = REPOSITORY / "tests" / "support" / "litellm_types.py"
SAMPLE = (REPOSITORY / "blueprints" / "gateway.yaml").read_text()
TEXTS = {"sample": SAMPLE, "two": TWO_MODELS, "everything": EVERYTHING}
TARGETS = {
    "simulation": GatewayTarget(simulated_models=("vendor/model",)),
    "stateless": GatewayTarget(profile="stateless", execution_mode="staging"),
    "managed": GatewayTarget(profile="managed", execution_mode="production", redis=True, tasks=4),
}
CACHES = ["{type: in-memory}", "{type: redis, ttl_seconds: 5}"]
STRATEGIES = ["simple-shuffle", "least-busy", "latency-based", "cost-based"]

Spoil = Callable[[dict[str, Any]], object]
SPOILED: dict[str, tuple[Spoil, str]] = {
    "top": (lambda c: c.update(model_lists=[]), "unknown key 'model_lists'"),
    "router": (lambda c: c["router_settings"].update(cooldown_tiem=1), "router_settings: unknown key 'cooldown_tiem'"),
    "policy": (
        lambda c: c["router_settings"]["retry_policy"].update(RateLimitRetries=1),
        "router_settings.retry_policy: unknown key 'RateLimitRetries'",
    ),
    "strategy": (
        lambda c: c["router_settings"].update(routing_strategy="cost-based"),
        "router_settings.routing_strategy: Input should be",
    ),
    "check": (
        lambda c: c["router_settings"].update(optional_pre_call_checks=["enforce_limits"]),
        "router_settings.optional_pre_call_checks",
    ),
    "number": (lambda c: c["router_settings"].update(num_retries="two"), "router_settings.num_retries"),
    "params": (
        lambda c: c["model_list"][0]["litellm_params"].update(rpms=1),
        "model_list[0].litellm_params: unknown key 'rpms'",
    ),
    "order": (lambda c: c["model_list"][0]["litellm_params"].update(order="a"), "model_list[0].litellm_params.order"),
    "info": (lambda c: c["model_list"][0]["model_info"].update(tiers=1), "model_list[0].model_info: unknown key"),
    "provider": (lambda c: c["model_list"][0]["litellm_params"].update(model="nobody/x"), "no provider for nobody/x"),
    "settings": (lambda c: c["litellm_settings"].update(drop_param=True), "litellm_settings: unknown key 'drop_param'"),
    "typed": (lambda c: c["litellm_settings"].update(turn_off_message_logging="maybe"), "turn_off_message_logging"),
    "callback": (lambda c: c["litellm_settings"]["callbacks"].append("langfuze"), "unknown callback 'langfuze'"),
    "success": (lambda c: c["litellm_settings"].update(success_callback=["heli"]), "unknown callback 'heli'"),
    "cache": (lambda c: c["litellm_settings"]["cache_params"].update(tttl=1), "cache_params: unknown key 'tttl'"),
    "general": (lambda c: c["general_settings"].update(master_keys="x"), "general_settings: unknown key 'master_keys'"),
    "redis": (
        lambda c: c["general_settings"]["coordination_redis"].update(hosts="x"),
        "general_settings.coordination_redis: unknown key 'hosts'",
    ),
    "guardrail": (
        lambda c: c["guardrails"][0]["litellm_params"].update(guardrail="presidioo"),
        "unknown guardrail 'presidioo'",
    ),
    "mode": (lambda c: c["guardrails"][0]["litellm_params"].update(mode=["pre"]), "unknown mode 'pre'"),
    "variable": (lambda c: c["environment_variables"].update(LANGFUZE="x"), "environment_variables.LANGFUZE"),
    "otel": (lambda c: c["callback_settings"]["otel"].update(message_loging=True), "unknown key 'message_loging'"),
}


def python(*arguments: str | Path) -> str:
    """What LiteLLM's Python prints."""
    environment = {"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    program = [proxy_python(), *arguments]
    done = subprocess.run(
        program, capture_output=True, text=True, env=environment, timeout=START_SECONDS, check=False, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def faults(tmp_path_factory) -> dict[str, list[str]]:
    """What LiteLLM would not know or take of each configuration, the right and the spoiled ones."""
    folder = tmp_path_factory.mktemp("configurations")
    source = folder / "gateway"

    def compiled(text: str, target: GatewayTarget) -> str:
        source.write_text(text)
        return compile_config(load_gateway(source), target)

    for name, text in TEXTS.items():
        for place, target in TARGETS.items():
            (folder / f"{name}-{place}.yaml").write_text(compiled(text, target))
    for number, cache in enumerate(CACHES):
        (folder / f"cache-{number}.yaml").write_text(compiled(f"{TWO_MODELS}cache: {cache}\n", TARGETS["managed"]))
    for strategy in STRATEGIES:
        text = f"{TWO_MODELS}routing: {{strategy: {strategy}}}\n"
        (folder / f"{strategy}.yaml").write_text(compiled(text, TARGETS["stateless"]))
    for name, (spoil, _) in SPOILED.items():
        config = yaml.safe_load(compiled(EVERYTHING, TARGETS["managed"]))
        spoil(config)
        (folder / f"spoiled-{name}.yaml").write_text(yaml.safe_dump(config))
    files = sorted(folder.glob("*.yaml"))
    # LiteLLM prints before, as it likes.
    told = json.loads(python(CHECKER, *files).splitlines()[-1])
    found: dict[str, list[str]] = {path.stem: [] for path in files}
    for one in told:
        file, _, fault = one.partition(".yaml: ")
        found[file].append(fault)
    return found


def test_litellm_knows_and_takes_every_line_of_what_is_compiled(faults):
    right = {name: found for name, found in faults.items() if not name.startswith("spoiled-")}
    assert len(right) == len(TEXTS) * len(TARGETS) + len(CACHES) + len(STRATEGIES)
    assert {name: found for name, found in right.items() if found} == {}


@pytest.mark.parametrize("name", SPOILED)
def test_the_check_sees_what_litellm_does_not_know(faults, name):
    (fault,) = faults[f"spoiled-{name}"]
    assert SPOILED[name][1] in fault


def test_the_table_of_providers_models_and_prices_is_that_of_the_locked_version(tmp_path):
    file = tmp_path / "facts.json"
    python(REPOSITORY / "gateway" / "extract_facts.py", file)

    again = "run the Python of .strandline/venvs/gateway-* on gateway/extract_facts.py gateway/litellm_facts.json"
    assert file.read_text() == (REPOSITORY / "gateway" / "litellm_facts.json").read_text(), again
    lock = (REPOSITORY / "gateway" / "requirements.lock").read_text()
    assert litellm_version() == LITELLM_VERSION == re.search(r"^litellm\[?[^=]*==([\d.]+)", lock, re.MULTILINE)[1]


def test_the_table_tells_prices_and_parameters():
    assert {"openai", "anthropic", "bedrock", "vertex_ai", "gemini", "azure"} <= providers()
    price = known_price("openai/gpt-4.1-mini")
    assert (price.input_usd, price.output_usd) == (0.4e-6, 1.6e-6)
    assert known_price("OpenAI/GPT-4.1-mini") == price
    profile = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert known_price(f"bedrock/converse/{profile}") == known_price(f"bedrock/{profile}")
    assert known_price("openai/our-own-tune") is None
    assert known_price("ollama/llama3").is_zero
    assert "seed" in refused_parameters("anthropic/claude-sonnet-4-5")
    assert "temperature" not in refused_parameters("anthropic/claude-sonnet-4-5")
    assert "stop" in refused_parameters("openai/gpt-5-mini")
    assert "stop" not in refused_parameters("openai/gpt-4.1-mini")
    # A model that LiteLLM has never heard of is taken for one of its provider's.
    assert "seed" in refused_parameters("anthropic/claude-of-tomorrow")
