"""The real proxy in simulation: scenarios through any client, agents of every provider, and nobody called outside."""

from __future__ import annotations

import json
import subprocess
import time

import jsonschema
import openai
import pytest

from tests.simulator.conftest import (
    GATEWAY_KEY,
    audited,
    handler_process,
    simulated_proxy,
    strangers,
    write_project,
)
from tests.support.litellm_proxy import MASTER_KEY, proxy_python

TEXT = "High water is at 06:12, low water at 12:30."
SCHEMA = {
    "type": "object",
    "properties": {
        "harbour": {"type": "string", "minLength": 3},
        "tides": {"type": "array", "items": {"$ref": "#/$defs/tide"}, "minItems": 2},
    },
    "required": ["harbour", "tides"],
    "$defs": {
        "tide": {
            "type": "object",
            "properties": {"at": {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}, "high": {"type": "boolean"}},
            "required": ["at", "high"],
            "additionalProperties": False,
        }
    },
}
TOOLS = '''
from strands import tool

@tool
def tide_table(harbour: str, days: int = 1) -> str:
    """Reads the tides of a harbour.

    Args:
        harbour: Name of the harbour.
        days: How many days.
    """
    return f"tides of {harbour} for {days} days: 06:12"
'''
RULES = [
    {"when": {"message": {"contains": "calm"}}, "text": TEXT, "usage": {"prompt_tokens": 100, "completion_tokens": 7},
     "cost_usd": 0.25},
    {"when": {"message": {"contains": "slow"}}, "text": "one two three", "pace": {"interval_seconds": 0.05}},
    {"when": {"message": {"contains": "busy"}}, "fault": {"type": "rate_limit", "retry_after_seconds": 7}},
    {"when": {"message": {"contains": "once"}},
     "fault": {"type": "rate_limit", "retry_after_seconds": 0, "times": 1}},
    {"when": {"message": {"contains": "once"}}, "text": "The second try is answered."},
    {"when": {"message": {"contains": "broken"}}, "fault": {"type": "server_error"}},
    {"when": {"message": {"contains": "silent"}}, "fault": {"type": "timeout", "after_seconds": 0.05}},
    {"when": {"message": {"contains": "cut"}}, "text": "one two three four",
     "fault": {"type": "cut_stream", "after_pieces": 2}},
    {"when": {"message": {"contains": "tier"}}, "text": "I am the weaker one.", "fault": {"type": "tier_fallback"}},
    {"when": {"message": {"contains": "tide"}},
     "tool_calls": [{"name": "tide_table", "arguments": {"harbour": "Lisbon", "days": 2}}]},
    {"when": {"tool_result": {"tool": "tide_table", "matches": "[0-9]{2}:[0-9]{2}"}}, "text": TEXT},
]  # fmt: skip
GATEWAY = {
    "models": {
        "demo": {"model": "openai/gpt-4.1-mini", "api_key_env": "OPENAI_API_KEY"},
        "strong": {"model": "openai/gpt-4.1", "api_key_env": "OPENAI_API_KEY", "fallbacks": ["demo"]},
        "own": {
            "model": "hosted_vllm/mine",
            "api_base": "https://llm.example.com/v1",
            "price": {"input_usd": 1, "output_usd": 10},
        },
        "embedding": {"model": "openai/text-embedding-3-small", "api_key_env": "OPENAI_API_KEY"},
    },
    "retries": {"count": 0},
}
MODEL = {"provider": "litellm", "base_url": "gateway", "model_id": "strong", "temperature": 0.2, "max_tokens": 500}
AGENTS = {
    "tide": {"model": MODEL, "tools": [{"python": "tides:tide_table"}]},
    "report": {"model": MODEL | {"model_id": "demo"}, "output_schema": "report"},
}
BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
STRANGERS = {
    "bedrock": {"provider": "bedrock", "model_id": BEDROCK, "params": {"top_k": 5}},
    "anthropic": {"provider": "anthropic", "model_id": "claude-opus-4-5", "api_key_env": "ANTHROPIC_API_KEY"},
    "named": {"provider": "litellm", "model_id": "openai/gpt-5-mini", "api_key_env": "OPENAI_API_KEY"},
    "elsewhere": {
        "provider": "litellm",
        "model_id": "my-org/tide-model",
        "base_url": "https://llm.example.com/v1",
        "api_key_env": "ELSEWHERE_KEY",
        "extra_headers_env": {"x-team": "TEAM"},
    },
}


# Wants no key, so that nothing keeps it from asking.
OPEN = {"provider": "litellm", "model_id": "my-org/tide-model", "base_url": "https://llm.invalid/v1", "num_retries": 0}


@pytest.fixture(scope="module")
def blueprints(tmp_path_factory):
    agents = AGENTS | {
        name: {"model": {"temperature": 0.2, "max_tokens": 500} | model}
        for name, model in (STRANGERS | {"open": OPEN}).items()
    }
    root = write_project(tmp_path_factory.mktemp("project"), agents, {"tide": RULES})
    (root / "tools" / "tides.py").write_text(TOOLS)
    (root / "schemas").mkdir()
    (root / "schemas" / "report.json").write_text(json.dumps(SCHEMA))
    return root


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, blueprints):
    """The proxy's address and the log of its sockets."""
    models = [model["model_id"] for model in STRANGERS.values()]
    with simulated_proxy(tmp_path_factory.mktemp("proxy"), blueprints, GATEWAY, models) as running:
        yield running


@pytest.fixture
def client(proxy):
    """OpenAI's own client, as the agent `tide`."""
    headers = {"x-strandline-agent": "tide"}
    address = f"{proxy[0]}/v1"
    with openai.OpenAI(base_url=address, api_key=MASTER_KEY, max_retries=0, default_headers=headers) as client:
        yield client


def ask(client, text, model="strong", **parameters):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.with_raw_response.create(model=model, messages=messages, **parameters)


def streamed(client, text, **parameters):
    """All chunks of a stream."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return list(ask(client, text, **options, **parameters).parse())


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def said(answer):
    """The text of an agent's answer."""
    return "".join(block.get("text", "") for block in answer["result"]["content"])


def tool(schema, name="tide_table"):
    return {"type": "function", "function": {"name": name, "description": "Reads the tides.", "parameters": schema}}


def test_text_of_the_scenario_comes_with_its_usage_and_cost(client):
    answer = ask(client, "Is it calm?")

    completion = answer.parse()
    assert completion.choices[0].message.content == TEXT
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (100, 7)
    assert float(answer.headers["x-litellm-response-cost"]) == 0.25


def test_stream_brings_the_same_text_usage_and_cost(client):
    chunks = streamed(client, "Is it calm?")

    assert text_of(chunks) == TEXT
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) == len(TEXT.split())
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (100, 7)
    assert chunks[-1].usage.cost == 0.25


def test_pieces_come_one_after_the_other_at_the_scenarios_pace(client):
    began = time.monotonic()
    moments = [
        (time.monotonic() - began, chunk.choices[0].delta.content)
        for chunk in ask(client, "slow", stream=True).parse()
        if chunk.choices[0].delta.content
    ]

    assert [piece for _, piece in moments] == ["one", " two", " three"]
    # Two silences of 50 ms: earlier than after 100 ms the last cannot come, however fast the machine.
    assert moments[-1][0] >= 0.1


@pytest.mark.parametrize(
    ("model", "price_in", "price_out"), [("demo", 0.4e-6, 1.6e-6), ("own", 1e-6, 10e-6)], ids=["LiteLLM's", "own"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_answer_costs_what_the_model_would_have_cost(client, model, price_in, price_out, stream):
    if stream:
        usage = streamed(client, "Hello", model=model)[-1].usage
        cost = usage.cost
    else:
        answer = ask(client, "Hello", model=model)
        usage, cost = answer.parse().usage, float(answer.headers["x-litellm-response-cost"])

    assert cost == pytest.approx(usage.prompt_tokens * price_in + usage.completion_tokens * price_out)


@pytest.mark.parametrize("stream", [False, True])
def test_limited_rate_is_refused_and_says_when_to_come_again(client, stream):
    with pytest.raises(openai.RateLimitError) as refusal:
        ask(client, "busy", stream=stream)

    assert refusal.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [False, True])
def test_fault_that_passes_comes_as_often_as_it_says(client, stream):
    text = f"once, {stream}"
    with pytest.raises(openai.RateLimitError):
        ask(client, text, model="demo", stream=stream)

    answer = ask(client, text, model="demo", stream=stream).parse()
    assert (text_of(answer) if stream else answer.choices[0].message.content) == "The second try is answered."
    with pytest.raises(openai.RateLimitError):
        ask(client, text, model="demo", stream=stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("text", "status"), [("silent", 408)])
def test_silence_ends_in_a_timeout(client, text, status, stream):
    with pytest.raises(openai.APIStatusError) as refusal:
        ask(client, text, stream=stream)

    assert refusal.value.status_code == status


def test_fault_of_every_model_is_a_fault_of_the_gateway(client):
    with pytest.raises(openai.InternalServerError):
        ask(client, "broken")


def test_cut_stream_ends_in_an_error_after_its_pieces(client):
    pieces = []
    with pytest.raises(openai.APIError, match="the connection to the model broke"):
        for chunk in ask(client, "cut", model="demo", stream=True).parse():
            pieces.append(chunk.choices[0].delta.content or "")

    assert "".join(pieces) == "one two"


@pytest.mark.parametrize("stream", [False, True])
def test_weaker_model_answers_when_the_agents_own_fails(client, stream):
    answer = ask(client, "tier", stream=stream)

    text = text_of(answer.parse()) if stream else answer.parse().choices[0].message.content
    assert text == "I am the weaker one."
    assert answer.headers["x-litellm-model-group"] == "demo"
    assert answer.headers["x-litellm-attempted-fallbacks"] == "1"


def test_caller_without_a_scenario_is_answered_by_what_it_asks(proxy):
    with openai.OpenAI(base_url=f"{proxy[0]}/v1", api_key=MASTER_KEY, max_retries=0) as stranger:
        texts = [ask(stranger, "busy").parse().choices[0].message.content for _ in range(2)]

    assert texts == ["Simulated answer of strong to: busy"] * 2


def test_format_that_is_asked_for_is_kept(client):
    form = {"type": "json_schema", "json_schema": {"name": "report", "schema": SCHEMA}}
    for answer in (
        ask(client, "Report", response_format=form).parse().choices[0].message.content,
        text_of(streamed(client, "Report", response_format=form)),
    ):
        jsonschema.validate(json.loads(answer), SCHEMA)
    some = ask(client, "Report", response_format={"type": "json_object"}).parse().choices[0].message.content
    assert isinstance(json.loads(some), dict)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "tide_table"}}])
def test_forced_tool_is_called_with_arguments_that_fit(client, choice):
    answer = ask(client, "Report", tools=[tool(SCHEMA)], tool_choice=choice).parse().choices[0]

    (call,) = answer.message.tool_calls
    assert (answer.finish_reason, call.function.name) == ("tool_calls", "tide_table")
    jsonschema.validate(json.loads(call.function.arguments), SCHEMA)


def test_schema_that_nothing_fits_is_refused_with_a_way_out(client):
    form = {"type": "json_schema", "json_schema": {"name": "none", "schema": {"allOf": [{"const": 1}, {"const": 2}]}}}
    with pytest.raises(openai.BadRequestError, match="write `structured` in a scenario"):
        ask(client, "Report", response_format=form)


def test_parameters_that_a_real_model_takes_are_taken(client):
    answer = ask(
        client,
        "calm",
        reasoning_effort="low",
        user="somebody",
        verbosity="low",
        extra_body={"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 5, "prompt_cache_key": "a"},
    )

    assert answer.parse().choices[0].message.content == TEXT


def test_text_is_cut_at_the_most_tokens(client):
    choice = ask(client, "Hello", model="demo", max_tokens=2).parse().choices[0]

    assert (choice.message.content, choice.finish_reason) == ("Simulate", "length")


def test_embeddings_are_the_same_for_the_same_text(client):
    vectors = client.embeddings.create(model="embedding", input=["tide", "tide", "moon"], encoding_format="float").data

    assert vectors[0].embedding == vectors[1].embedding != vectors[2].embedding


@pytest.fixture(scope="module")
def start(tmp_path_factory, blueprints, proxy):
    """Starts an agent's handler beside the proxy."""
    folder = tmp_path_factory.mktemp("handlers")

    def start(agent, **variables):
        gateway = {"STRANDLINE_GATEWAY_URL": proxy[0], "STRANDLINE_GATEWAY_KEY": GATEWAY_KEY}
        return handler_process(folder, blueprints, agent, **gateway, **variables)

    return start


def test_agent_calls_its_tool_and_answers_by_the_scenario(start):
    with start("tide") as (handler, sockets):
        answer = handler.ask("When is the tide?").json()
        weaker = handler.ask("tier", session="another-session-0123456789-0123456789").json()

    assert said(answer) == TEXT
    assert said(weaker) == "I am the weaker one."
    assert weaker["model"]["fallback"] is True
    assert strangers(sockets) == set()


def test_answer_of_an_agent_fits_its_schema_without_a_scenario(start):
    with start("report") as (handler, sockets):
        answer = handler.ask("Report the tides.").json()

    jsonschema.validate(answer["structured"], SCHEMA)
    assert strangers(sockets) == set()


@pytest.mark.parametrize("agent", STRANGERS)
def test_agent_of_any_provider_is_answered_by_the_simulator(start, agent):
    with start(agent, STRANDLINE_SIMULATED="true") as (handler, sockets):
        answer = handler.ask("Hello").json()

    model = STRANGERS[agent]["model_id"]
    assert said(answer) == f"Simulated answer of {model} to: Hello"
    assert strangers(sockets) == set()


def test_no_socket_of_the_proxy_leaves_this_machine(proxy, client):
    for text in ("calm", "tier"):
        ask(client, text)

    # The file is there from the proxy's first moment on.
    assert strangers(proxy[1]) == set()


def test_the_watch_over_sockets_sees_a_handler_that_asks_its_provider(start):
    with start("open", STRANDLINE_EXECUTION_MODE="staging") as (handler, sockets):
        handler.ask("Hello")

    assert strangers(sockets) == {"llm.invalid"}


@pytest.mark.parametrize("library", ["httpx", "aiohttp"])
def test_the_watch_over_sockets_sees_the_proxys_libraries_on_its_loop(tmp_path, library):
    """The same Python, libraries and loop as the proxy's, which LiteLLM asks providers by."""
    code = f"""
import {library}, uvloop
async def ask():
    async with {library}.{"AsyncClient" if library == "httpx" else "ClientSession"}() as session:
        await session.get("https://provider.invalid/")
uvloop.new_event_loop().run_until_complete(ask())
"""
    sockets = tmp_path / "sockets"
    python = proxy_python()
    done = subprocess.run([python, "-c", code], env=audited(sockets), capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert strangers(sockets) == {"provider.invalid"}, done.stderr
