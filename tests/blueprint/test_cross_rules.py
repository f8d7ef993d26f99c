"""Rules over several fields: each says what would be ignored, and all of them are told in one run."""

import pytest

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import InputError
from agent_runtime.later import LATER_FIELDS
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml

HEAD = "id: hello\nname: Hello\nversion: 1.0.0\nprompt_ref: hello\n"
DIRECT = "provider: litellm, model_id: m, temperature: 0.2, max_tokens: 5000"
GATEWAY = f"{DIRECT}, base_url: gateway"
BEDROCK = "model_id: m, temperature: 0.2, max_tokens: 5000"
SECRET = "sk-canary-0123456789abcdef"
OTLP = "endpoint: 'https://traces.example.com'"


def parse(model: str, rest: str = "") -> Blueprint:
    text = f"{HEAD}model: {{{model}}}\n{rest}"
    return validate(Blueprint, parse_yaml(text.encode(), "f.yaml"), later=LATER_FIELDS)


def told(model: str, rest: str = "") -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        parse(model, rest)
    assert SECRET not in str(caught.value)
    return {problem.path: problem.message for problem in caught.value.problems}


def provider(name: str, more: str = "") -> str:
    return f"provider: {name}, model_id: m, temperature: 0.2, max_tokens: 5000{more}"


KEY = ", api_key_env: KEY"
TOOL_GATEWAY = "https://tides-a1.gateway.bedrock-agentcore.eu-central-1.amazonaws.com/mcp"


def gateway(fields: str) -> str:
    return f"gateway: {{{fields}}}\n"


@pytest.mark.parametrize(
    ("model", "rest", "path", "part"),
    [
        (provider("anthropic"), "", "model.provider", "wants a key"),
        (provider("openai"), "", "model.provider", "wants a key"),
        (provider("vertex"), "", "model.provider", "wants a key"),
        (provider("vertex", KEY + ", base_url: https://a.example.com"), "", "model.base_url", "no effect"),
        (provider("vertex", KEY + ", extra_headers_env: {X-A: B}"), "", "model.extra_headers_env", "no effect"),
        (provider("openai", ", base_url: gateway"), "", "model.base_url", "with provider litellm"),
        (provider("openai", KEY + ", client: litellm"), "", "model.client", "no effect"),
        (BEDROCK + ", client: openai", "", "model.client", "no effect"),
        (DIRECT + ", client: openai", "", "model.client", "no address"),
        (provider("openai", KEY + ", cache_prompt: default"), "", "model.cache_prompt", "caches by itself"),
        (provider("vertex", KEY + ", cache_tools: default"), "", "model.cache_tools", "caches by itself"),
        (BEDROCK + ", cache_prompt: my-key", "", "model.cache_prompt", "takes no key"),
        (GATEWAY + ", cache_tools: my-key", "", "model.cache_tools", "takes no key"),
        (GATEWAY + ", params: {temperature: 1}", "", "model.params.temperature", "not for params"),
        (GATEWAY + f", params: {{user: {SECRET}}}", "", "model.params.user", "looks like a secret"),
        (GATEWAY + f", params: {{a: [{{b: {SECRET}}}]}}", "", "model.params.a", "looks like a secret"),
        (GATEWAY + ", params: {a: [.nan]}", "", "model.params.a", "not finite"),
        (GATEWAY, "thinking: {budget_tokens: 5000}\n", "thinking.budget_tokens", "leaves none"),
        (GATEWAY, "thinking: {budget_tokens: 1023}\n", "thinking.budget_tokens", "at least 1024"),
        (BEDROCK, "thinking: {budget_tokens: 2000}\n", "model.temperature", "no other temperature than 1"),
        (provider("openai", KEY), "thinking: {budget_tokens: 2000}\n", "thinking", "no effect"),
        (DIRECT, "budget: {max_usd: 5}\n", "budget", "no effect without base_url: gateway"),
        (GATEWAY, "budget: {per: day}\n", "budget", "limits nothing"),
        (GATEWAY, "tools: [{}]\n", "tools[0]", "names no tool"),
        (GATEWAY, "tools: [{builtin: a, python: 'a:b'}]\n", "tools[0]", "has python and builtin"),
        (GATEWAY, "tools: [{mcp: {}}]\n", "tools[0].mcp", "neither url nor command"),
        (GATEWAY, "tools: [{mcp: {url: https://a.example.com, command: [a]}}]\n", "tools[0].mcp", "url and command"),
        (
            GATEWAY,
            "tools: [{mcp: {command: [a], headers_env: {X: Y}}}]\n",
            "tools[0].mcp.headers_env",
            "no effect without url",
        ),
        (GATEWAY, "tools: [{python: weather}]\n", "tools[0].python", "must match"),
        (GATEWAY, "checks: [{name: a, prompt: b}]\n", "checks[0].name", "expects nothing"),
        (GATEWAY, "checks: [{name: a, prompt: b, regex: '('}]\n", "checks[0].regex", "not a regular expression"),
        (
            GATEWAY,
            "checks: [{name: a, prompt: b, no_pii: true}, {name: a, prompt: c, refuses: true}]\n",
            "checks[1].name",
            "two checks",
        ),
        (GATEWAY, "runtime: {environment: {AWS_REGION: x}}\n", "runtime.environment.AWS_REGION", "sets itself"),
        (GATEWAY, f"runtime: {{environment: {{A: {SECRET}}}}}\n", "runtime.environment.A", "looks like a secret"),
        (GATEWAY + KEY, "runtime: {environment: {KEY: x}}\n", "runtime.environment.KEY", "is a secret of this agent"),
        (
            GATEWAY,
            "observability: {data_protection: {presidio_entities: [A]}}\n",
            "observability.data_protection.presidio_entities",
            "no effect",
        ),
        (
            GATEWAY,
            "observability: {data_protection: {provider: presidio, on_input: false, on_output: false}}\n",
            "observability.data_protection.on_input",
            "neither input nor output",
        ),
        (
            BEDROCK,
            "observability: {data_protection: {provider: bedrock}}\n",
            "observability.data_protection.provider",
            "is missing",
        ),
        (GATEWAY, f"observability: {{enabled: false, otlp: {{{OTLP}}}}}\n", "observability.otlp", "no effect"),
        (
            GATEWAY,
            f"observability: {{data_protection: {{provider: presidio}}, otlp: {{{OTLP}, content: true}}}}\n",
            "observability.otlp.content",
            "personal data",
        ),
        (
            GATEWAY,
            f"observability: {{otlp: {{{OTLP}, headers_env: {{X-Key: A}}, headers: {{x-key: b}}}}}}\n",
            "observability.otlp.headers.x-key",
            "headers_env too",
        ),
        (
            GATEWAY,
            f"observability: {{otlp: {{{OTLP}, headers: {{Authorization: {SECRET}}}}}}}\n",
            "observability.otlp.headers.Authorization",
            "looks like a secret",
        ),
        (
            GATEWAY,
            f"observability: {{otlp: {{{OTLP}, headers_env: {{Host: A}}}}}}\n",
            "observability.otlp.headers_env.Host",
            "sets itself",
        ),
        (
            GATEWAY,
            "observability: {otlp: {endpoint: 'http://traces.example.com'}}\n",
            "observability.otlp.endpoint",
            "plain http",
        ),
    ],
)
def test_what_cannot_be_together_is_told_at_its_place(model, rest, path, part):
    assert part in told(model, rest)[path]


@pytest.mark.parametrize(
    ("model", "rest"),
    [
        (provider("anthropic", ", base_url: https://a.example.com"), ""),
        (provider("openai", KEY + ", cache_prompt: my-key"), ""),
        (provider("anthropic", KEY + ", cache_prompt: default, extra_headers_env: {X-A: B}"), ""),
        (GATEWAY + ", client: litellm, cache_prompt: my-key", ""),
        (GATEWAY + ", params: {top_p: 0.9, nested: {list: [1, a, null]}}", ""),
        (BEDROCK.replace("0.2", "1"), "thinking: {budget_tokens: 2000}\n"),
        (BEDROCK, "thinking: {enabled: false, budget_tokens: 9000}\n"),
        (GATEWAY, "budget: {max_usd: 5.5, per: week, rpm: 60, tpm: 1000, models: [demo]}\n"),
        (GATEWAY, "tools: [{mcp: {url: https://a.example.com/mcp, headers_env: {X: TOOL_KEY}, allow: [a]}}]\n"),
        (GATEWAY, "tools: [{mcp: {command: [python, -m, server]}}, {python: 'a.b:c'}]\n"),
        (GATEWAY, "checks: [{name: a, prompt: b, tools: []}]\n"),
        (GATEWAY, f"observability: {{otlp: {{{OTLP}, headers_env: {{Authorization: A}}, content: true}}}}\n"),
    ],
)
def test_what_can_be_together_is_taken(model, rest):
    assert parse(model, rest)


@pytest.mark.parametrize(
    ("fields", "path", "part"),
    [
        ("url: 'https://tools.example.com/mcp'", "gateway.url", "not the address of an AgentCore gateway"),
        ("url: 'https://a.gateway.bedrock-agentcore.us-east-1.amazonaws.com.evil.example/mcp'", "gateway.url", "not"),
        (f"url: '{TOOL_GATEWAY}', auth_type: custom_jwt", "gateway.auth_type", "wants a token"),
        (f"url: '{TOOL_GATEWAY}', jwt_env_var: TOKEN", "gateway.jwt_env_var", "no effect with auth_type aws_iam"),
        ("auth_type: none, jwt_env_var: TOKEN", "gateway.jwt_env_var", "no effect with auth_type none"),
    ],
)
def test_a_gateway_to_which_the_agent_could_not_prove_who_it_is_is_told(fields, path, part):
    assert part in told(BEDROCK, gateway(fields))[path]


@pytest.mark.parametrize(
    ("fields", "secrets"),
    [
        ("auth_type: aws_iam", ()),
        ("auth_type: custom_jwt", ()),
        (f"url: '{TOOL_GATEWAY}'", ()),
        (f"url: '{TOOL_GATEWAY}', auth_type: custom_jwt, jwt_env_var: TOKEN", ("TOKEN",)),
        ("url: 'https://tools.example.com/mcp', auth_type: none", ()),
        ("url: 'http://127.0.0.1:9/mcp'", ()),
    ],
)
def test_a_gateway_of_tools_is_taken_and_its_token_is_a_secret(fields, secrets):
    assert parse(BEDROCK, gateway(fields)).secret_names == secrets


def test_a_server_of_tools_may_want_an_authorization():
    tools = "tools: [{mcp: {url: 'https://tools.example.com/mcp', headers_env: {Authorization: TOOLS_KEY}}}]\n"
    assert parse(BEDROCK, tools).secret_names == ("TOOLS_KEY",)


def test_secrets_of_traces_are_secrets_of_the_agent():
    agent = parse(GATEWAY + KEY, f"observability: {{otlp: {{{OTLP}, headers_env: {{Authorization: TRACES}}}}}}\n")

    assert agent.secret_names == ("KEY", "TRACES")


def test_secrets_of_tools_are_secrets_of_the_agent():
    agent = parse(GATEWAY + KEY, "tools: [{mcp: {url: https://a.example.com/mcp, headers_env: {X: TOOL_KEY}}}]\n")
    assert agent.secret_names == ("KEY", "TOOL_KEY")


def test_several_faults_of_one_block_are_told_together():
    model = BEDROCK + ", base_url: https://a.example.com, api_key_env: KEY, client: openai"
    assert list(told(model)) == ["model.base_url", "model.api_key_env", "model.client"]


def test_rules_are_told_in_the_same_run_as_what_is_wrong_by_itself():
    rest = "nam: x\nbudget: {max_usd: 5}\nthinking: {budget_tokens: 9000}\ntags: 5\n"
    found = told(provider("bedrock", ", base_url: https://a.example.com, num_retries: 99"), rest)
    # budget and thinking rest on the model: on its valid fields.
    ruled = {"model.base_url", "model.temperature", "budget", "thinking.budget_tokens"}
    assert set(found) == {"nam", "tags", "model.num_retries"} | ruled


def test_rules_of_an_item_are_told_in_the_same_run_as_its_wrong_fields():
    found = told(
        GATEWAY,
        "tools:\n"
        "- {python: 5, builtin: calculator, mcp: {url: https://a.example.com/mcp, command: [a]}}\n"
        "- {mcp: {command: [python], headers_env: {X-Key: KEY}, typo: 1}}\n"
        "checks:\n"
        "- {name: a, prompt: Hi, contains: [hi], max_iterations: 0}\n"
        "- {name: a, prompt: Hi, colour: red}\n"
        "runtime: {environment: {KEY: x}, max_iterations: 0}\n",
    )
    assert set(found) == {
        *("tools[0].python", "tools[0].mcp", "tools[1].mcp.typo", "tools[1].mcp.headers_env"),
        *("checks[0].max_iterations", "checks[1].colour", "checks[1].name"),
        *("runtime.max_iterations", "runtime.environment.KEY"),
    }


def test_items_without_a_wrong_field_keep_their_rules():
    found = told(
        GATEWAY, "tools: [{python: 5}, {}]\nchecks: [{name: a, prompt: Hi, contains: [hi]}, {name: b, prompt: 5}]\n"
    )

    assert set(found) == {"tools[0].python", "tools[1]", "checks[1].prompt", "checks[1].name"}


@pytest.mark.parametrize(
    ("rest", "paths"),
    [
        ("tools: [{mcp: {url: 5}}]\n", {"tools[0].mcp.url"}),
        ("tools: [{mcp: 5}]\n", {"tools[0].mcp"}),
        ("tools: [5]\n", {"tools[0]"}),
        ("tools: {python: 5}\n", {"tools"}),
        ("checks: [{name: 5, prompt: Hi, regex: a}, {name: a, prompt: Hi, regex: a}]\n", {"checks[0].name"}),
        ("checks: [{name: a, prompt: Hi, regex: '('}]\n", {"checks[0].regex"}),
    ],
)
def test_a_rule_about_a_wrong_field_of_an_item_is_not_guessed(rest, paths):
    assert set(told(GATEWAY, rest)) == paths


def test_a_rule_about_a_wrong_field_is_not_guessed():
    # Read as bedrock, which is the default, the address would be called ignored.
    assert set(told(provider("litelm", ", base_url: https://a.example.com"))) == {"model.provider"}


@pytest.mark.parametrize(
    ("more", "light"),
    [
        ("", True),
        (", client: openai", True),
        (", client: litellm", False),
        (", cache_prompt: default", True),
        (", cache_tools: default", True),
        (", client: litellm, cache_prompt: default", False),
    ],
)
def test_the_light_client_is_taken_where_it_gives_the_same(more, light):
    agent = parse(GATEWAY + more)
    assert agent.model.uses_light_client == light
    assert agent.dependency_set == ("light" if light else "litellm")
