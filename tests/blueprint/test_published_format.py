"""Blueprints of the published `agent-core` format: taken as they are, or refused with what to do instead."""

import pytest

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import InputError
from agent_runtime.later import LATER_FIELDS
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml
from tests.support.published_blueprints import CLOUDFLARE, PROXY

HEAD = "id: analysis-agent\nname: Analysis Agent\nversion: '1.0.0'\nprompt_ref: analysis-agent-system-v1\n"
MODEL = (
    "model: {provider: litellm, model_id: m, temperature: 0.3, max_tokens: 4096, base_url: https://llm.example.com}\n"
)


def parse(text: str) -> Blueprint:
    return validate(Blueprint, parse_yaml((HEAD + text).encode(), "f.yaml"), later=LATER_FIELDS)


def problems(text: str) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        parse(text)
    return {problem.path: f"{problem.message} ({problem.hint})" for problem in caught.value.problems}


BEDROCK = """\
model:
  model_id: us.anthropic.claude-sonnet-4-20250514-v1:0
  temperature: 1
  max_tokens: 16384
  cache_prompt: default
  cache_tools: default
thinking: {enabled: true, budget_tokens: 10000}
output_schema: AnalysisOutput
tools:
  - builtin: code_interpreter
  - builtin: browser
observability:
  data_protection:
    provider: bedrock
    guardrail_id_env: BEDROCK_GUARDRAIL_ID
    guardrail_version_env: BEDROCK_GUARDRAIL_VERSION
"""


def test_a_proxy_behind_a_companys_address():
    agent = parse(PROXY)
    assert agent.model.uses_light_client
    assert agent.secret_names == ("LITELLM_API_KEY",)
    assert agent.network_mode == "PRIVATE"
    assert agent.runtime.max_execution_time == 300


def test_cloudflares_gateway_with_two_access_headers():
    assert parse(CLOUDFLARE).secret_names == ("CF_ACCESS_CLIENT_ID", "CF_ACCESS_CLIENT_SECRET", "CF_GATEWAY_API_KEY")


def test_bedrock_with_caching_thinking_and_a_guardrail():
    agent = parse(BEDROCK)
    assert (agent.model.cache_prompt, agent.thinking.budget_tokens, agent.secret_names) == ("default", 10_000, ())


@pytest.mark.parametrize(
    ("model_id", "params"), [("litellm_proxy/claude-sonnet-4-6", "{}"), ("m", "{use_litellm_proxy: true}")]
)
def test_both_forms_of_litellms_proxy(model_id, params):
    model = f"{{provider: litellm, model_id: {model_id}, temperature: 0.3, max_tokens: 9, params: {params}}}\n"
    assert parse(f"model: {model}").dependency_set == "litellm"


@pytest.mark.parametrize(
    "model_id", ["claude-sonnet-4-6", "anthropic/claude-sonnet-4-5-20250908", "my-org/fast-claude"]
)
def test_a_model_id_is_left_as_it_is(model_id):
    assert parse(MODEL.replace("model_id: m", f"model_id: {model_id}")).model.model_id == model_id


@pytest.mark.parametrize("path", LATER_FIELDS)
def test_what_is_not_supported_is_refused_by_name_with_what_to_do(path):
    text = MODEL
    *parents, key = path.split(".")
    for depth, parent in enumerate(parents):
        text += "  " * depth + parent.removesuffix("[]") + ":\n"
    text += "  " * len(parents) + ("- " if path.startswith("tools[]") else "") + f"{key}: {{}}\n"
    (told,) = [told for place, told in problems(text).items() if place.endswith(key)]
    assert told == f"{key} is not supported by this version ({LATER_FIELDS[path]})"


def test_a_tool_of_the_agentcore_gateway_says_what_to_write():
    told = problems(MODEL + "tools:\n  - mcp: data-service-mcp\n    tools: [query_records, list_schemas]\n")
    assert "mcp: {url: https://..., allow: [tool, ...]}" in told["tools[0].mcp"]
    assert "allow" in told["tools[0].tools"]


@pytest.mark.parametrize(
    ("runtime", "part"),
    [
        ("platform: linux/amd64", "arm64 only"),
        ("port: 9000", "AgentCore calls HTTP at port 8080"),
        ("{protocol: MCP, port: 8080}", "AgentCore calls MCP at port 8000"),
        ("idle_timeout_minutes: 481", "at most 480"),
        ("max_execution_time: 3600", "at most 900"),
        ("{idle_timeout_minutes: 60, max_lifetime_minutes: 30}", "above the lifetime of 30"),
        ("max_lifetime_minutes: 10", "above the lifetime of 10"),
    ],
)
def test_what_agentcore_does_not_do_is_refused(runtime, part):
    text = runtime if runtime.startswith("{") else f"{{{runtime}}}"
    assert any(part in told for told in problems(MODEL + f"runtime: {text}\n").values())


def test_a_guardrail_for_another_provider_says_presidio():
    text = (
        MODEL + "observability: {data_protection: {provider: bedrock, guardrail_id_env: A, guardrail_version_env: B}}\n"
    )
    assert "presidio, which works with any model" in problems(text)["observability.data_protection.provider"]
