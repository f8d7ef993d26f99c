"""What gateway.yaml may say, and what is refused with the place and the way to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agent_runtime.errors import InputError, Problem
from agent_runtime.schema_walk import known_keys
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml
from gateway.settings import GatewaySettings, load_gateway
from tests.gateway.documents import EVERYTHING, TWO_MODELS

REPOSITORY = Path(__file__).parents[2]
CANARY = "sk-canary-0123456789"


def parse(text: str) -> GatewaySettings:
    return validate(GatewaySettings, parse_yaml(text.encode(), "gateway.yaml"))


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert CANARY not in str(caught.value)
    found = tuple(one for one in caught.value.problems if isinstance(one, Problem))
    assert all(one.line and one.hint for one in found)
    return found


def test_the_sample_needs_no_key():
    settings = load_gateway(REPOSITORY / "blueprints" / "gateway.yaml")
    assert settings.models["demo"].all_deployments
    assert settings.secret_names == ()


def test_every_field_can_be_said_and_the_sample_of_all_says_every_one():
    said = parse(EVERYTHING)

    def unsaid(model: BaseModel, path: str) -> list[str]:
        found = [f"{path}.{name}" for name in type(model).model_fields if name not in model.model_fields_set]
        for name in model.model_fields_set:
            value = getattr(model, name)
            for part in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]:
                found += unsaid(part, f"{path}.{name}") if isinstance(part, BaseModel) else []
        return found

    flat = {"models", "guardrails", "deployments"}
    assert [one for one in unsaid(said, "") if not flat & set(one.split("."))] == []
    fields = {name for model in said.models.values() for name in model.model_fields_set}
    fields |= {name for model in said.models.values() for one in model.deployments for name in one.model_fields_set}
    assert fields == set(type(said.models["gpt"]).model_fields)


def test_secrets_are_the_keys_of_providers_and_services():
    assert parse(TWO_MODELS).secret_names == ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")
    assert parse("models: {demo: {model: openai/b, mock_response: Hi}}").secret_names == ()
    assert set(parse(EVERYTHING).secret_names) == {
        *("AZURE_API_KEY", "HELICONE_API_KEY", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGSMITH_API_KEY"),
        *("OPENAI_API_KEY", "OTLP_HEADERS", "VERTEX_CREDENTIALS"),
    }


def test_a_model_written_flat_is_one_deployment():
    (deployment,) = parse("models: {m: {model: ollama/x, rpm: 5, tier: 3}}").models["m"].all_deployments
    assert (deployment.model, deployment.provider, deployment.rpm) == ("ollama/x", "ollama", 5)


def test_who_may_answer_for_a_name_are_its_model_and_all_fallbacks_of_these():
    settings = parse(EVERYTHING)
    assert settings.may_answer("gemini") == ("gemini", "small")
    assert settings.may_answer("writing") == ("claude", "gemini", "gpt", "small")


@pytest.mark.parametrize(
    ("model", "part"),
    [
        # LiteLLM would answer callers with the master key.
        ("{model: openai/b, mock_response: os.environ/LITELLM_MASTER_KEY}", "replaces by a variable"),
        ("{model: os.environ/SECRET}", "replaces by a variable"),
        ("{model: ollama/b, api_base: os.environ/SECRET}", "not an http or https address"),
        ("{model: ollama/b, api_base: 'https://169.254.169.254/'}", "metadata"),
        ("{model: openai/b, api_key_env: LITELLM_MASTER_KEY}", "the gateway's own"),
        ("{model: openai/b, api_key_env: GATEWAY_KEY_HELLO}", "the gateway's own"),
        ("{model: openai/b, api_key_env: REDIS_PASSWORD}", "the gateway's own"),
        (f"{{model: openai/b, api_key_env: {CANARY}}}", "looks like a secret"),
        ("{model: openai/b, mock_response: ''}", "must not be empty"),
        ("{model: ollama/b, timeout_seconds: 0}", "at least 1"),
        ("{mock_response: Hi}", "names no model"),
        ("{model: ollama/b, temperature: 1}", "unknown key 'temperature'"),
        ("{model: openai/b}", "no secret holds the key that openai wants (add api_key_env: OPENAI_API_KEY)"),
        ("{model: gpt-5}", "names no provider"),
        ("{model: opnai/gpt-5, api_key_env: K}", "'opnai' is no provider that LiteLLM knows (did you mean openai?)"),
        ("{model: openai/b, api_key_env: K, region: eu-central-1}", "openai has no region"),
        ("{model: bedrock/b, project: p-1}", "bedrock has no project"),
        ("{model: openai/b, api_key_env: K, api_version: v1}", "openai has no api_version"),
        ("{model: azure/b, api_key_env: K}", "azure is reached at an address of your own"),
        ("{model: ollama/b, deployments: [{model: ollama/c}]}", "written flat and as a list"),
        ("{rpm: 5, deployments: [{model: ollama/c}]}", "rpm belongs to a deployment"),
        ("{deployments: [{model: ollama/c, rpmm: 5}]}", "did you mean rpm?"),
        ("{deployments: [{api_key_env: K}]}", "model is missing"),
        ("{deployments: [{model: openai/b}]}", "no secret holds the key"),
        ("{model: ollama/b, fallbacks: [other]}", "the gateway has no model 'other'"),
        ("{model: ollama/b, fallbacks: [demo]}", "cannot stand in for itself"),
        ("{model: ollama/b, weight: 0}", "at least 1"),
        ("{model: ollama/b, budget: {max_usd: 0}}", "more than 0"),
    ],
)
def test_faults_of_a_model_are_refused(model, part):
    text = "\n".join(map(str, problems(f"models:\n  demo: {model}\n")))
    assert part in text
    assert text.startswith("gateway.yaml:2:")


@pytest.mark.parametrize(
    ("rest", "path", "part"),
    [
        ("alias: {}", "alias", "did you mean aliases?"),
        ("aliases: {zeta: '4.1'}", "aliases.zeta", "is a model already"),
        ("aliases: {code: zetta}", "aliases.code", "serves no model 'zetta'"),
        ("routing: {strategy: latency-based-routing}", "routing.strategy", "did you mean latency-based?"),
        ("routing: {default_fallbacks: [nobody]}", "routing.default_fallbacks[0]", "has no model 'nobody'"),
        ("aliases: {code: zeta}\nrouting: {default_fallbacks: [code]}", "routing.default_fallbacks[0]", "no model"),
        ("retries: {count: 11}", "retries.count", "at most 10"),
        ("retries: {by_error: {timeouts: 1}}", "retries.by_error.timeouts", "did you mean timeout?"),
        ("cooldown: {seconds: 0}", "cooldown.seconds", "at least 1"),
        ("cache: {type: semantic}", "cache.type", "needs a model that turns a prompt into a vector"),
        ("cache: {type: redis, similarity: 0.9}", "cache.similarity", "belongs to type: semantic"),
        ("cache: {type: semantic, embedding_model: vec}", "cache.embedding_model", "has no model 'vec'"),
        ("cache: {ttl_seconds: 5}", "cache.ttl_seconds", "the cache is off"),
        ("guardrails: [{name: a}]", "guardrails[0]", "one of presidio and bedrock"),
        (
            "guardrails: [{name: a, bedrock: {guardrail_id: x1, version: '1'}},"
            " {name: a, bedrock: {guardrail_id: x2, version: '1'}}]",
            "guardrails[1].name",
            "stands twice",
        ),
        ("guardrails: [{name: a, bedrock: {guardrail_id: x1, version: latest}}]", "guardrails[0].bedrock.version", ""),
        (
            "guardrails: [{name: a, presidio: {analyzer_url: 'http://pii.example.com', entities: {PERSON: mask},"
            " anonymizer_url: 'https://pii.example.com'}}]",
            "guardrails[0].presidio.analyzer_url",
            "plain http",
        ),
        ("callbacks: {langfuse: {secret_key_env: LITELLM_SALT_KEY}}", "callbacks.langfuse.secret_key_env", "own"),
        ("callbacks: {langfuze: {}}", "callbacks.langfuze", "did you mean langfuse?"),
        ("budget: {max_usd: -1}", "budget.max_usd", "more than 0"),
        ("models: {}", "", "models"),
    ],
)
def test_faults_elsewhere_are_refused_at_their_place(rest, path, part):
    text = rest if rest.startswith("models") else f"{TWO_MODELS}{rest}\n"
    found = problems(text)
    assert any(one.path == path and part in f"{one.message} ({one.hint})" for one in found) or not path, found


@pytest.mark.parametrize("text", ["models: {'openai/*': {model: 'openai/*', api_key_env: K}}\n", "model_list: []\n"])
def test_the_file_as_a_whole_is_checked(text):
    assert problems(text)


UNPRICED = "model: openai/my-own-tune, api_key_env: K"
FREE = "model: ollama/llama3, price: {input_usd: 0, output_usd: 0}"


@pytest.mark.parametrize(
    ("model", "rest", "path", "part"),
    [
        (UNPRICED, "budget: {max_usd: 5}", "models.m.model", "LiteLLM knows no price of openai/my-own-tune"),
        (f"{UNPRICED}, budget: {{max_usd: 5}}", "", "models.m.model", "LiteLLM knows no price"),
        (FREE, "budget: {max_usd: 5}", "models.m.price", "a price of 0 with a budget"),
        (f"{FREE}, budget: {{max_usd: 5}}", "", "models.m.price", "a price of 0 with a budget"),
        ("model: ollama/llama3", "budget: {max_usd: 5}", "models.m.model", "is 0, so no budget would count it"),
        (
            "deployments: [{model: openai/gpt-5-mini, api_key_env: K}, {" + UNPRICED + "}]",
            "budget: {max_usd: 5}",
            "models.m.deployments[1].model",
            "LiteLLM knows no price",
        ),
    ],
)
def test_what_costs_and_is_not_counted_is_refused_where_there_is_a_budget(model, rest, path, part):
    (problem,) = problems(f"models:\n  m: {{{model}}}\n{rest}\n")
    assert (problem.path, problem.line) == (path, 2)
    assert part in problem.message


@pytest.mark.parametrize(
    ("model", "rest"),
    [
        (UNPRICED, ""),
        (FREE, ""),
        (f"{UNPRICED}, price: {{input_usd: 1, output_usd: 2}}", "budget: {max_usd: 5}"),
        ("model: openai/gpt-5-mini, api_key_env: K", "budget: {max_usd: 5}"),
        ("model: openai/gpt-5-mini, api_key_env: K, price: {input_usd: 0, output_usd: 1}", "budget: {max_usd: 5}"),
    ],
)
def test_what_is_counted_or_needs_no_counting_is_taken(model, rest):
    assert parse(f"models:\n  m: {{{model}}}\n{rest}\n")


def test_all_faults_are_told_at_once():
    text = "models:\n  a: {model: openai/x, rpm: 0, timeut_seconds: 5}\n  b: {model: opnai/x}\ncooldown: {second: 5}\n"
    assert [(one.line, one.path) for one in problems(text)] == [
        (2, "models.a.rpm"),
        (2, "models.a.timeut_seconds"),
        (3, "models.b.model"),
        (4, "cooldown.second"),
    ]


WORDS = st.sampled_from(
    ["openai/gpt-5-mini", "ollama/x", "demo", "OPENAI_API_KEY", "https://a.example.com", "os.environ/X", "redis", "1d"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*known_keys(GatewaySettings, ("models", "m")), *known_keys(GatewaySettings, ()), "m", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
KEYS = st.sampled_from([*known_keys(GatewaySettings, ()), "x"])


@given(document=st.dictionaries(KEYS, VALUES, max_size=6))
def test_whatever_a_document_holds_it_gives_settings_or_an_input_error(document):
    text = yaml.safe_dump(document, allow_unicode=True)
    try:
        parse(text)
    except InputError as error:
        assert error.problems


@given(data=st.data())
def test_a_right_document_with_one_value_spoiled_gives_settings_or_an_input_error(data):
    document = yaml.safe_load(EVERYTHING)
    node = document
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(sorted(node)) if isinstance(node, dict) else st.integers(0, len(node) - 1))
        below = node[key]
        if not isinstance(below, dict | list) or data.draw(st.booleans()):
            node[key] = data.draw(VALUES)
            break
        node = below
    try:
        settings = parse(yaml.safe_dump(document, allow_unicode=True))
    except InputError as error:
        assert error.problems
    else:
        assert settings.models


def test_what_is_dumped_and_parsed_again_is_the_same():
    settings = parse(EVERYTHING)
    assert parse(yaml.safe_dump(yaml.safe_load(settings.model_dump_json(exclude_unset=True)))) == settings
