"""The real LiteLLM proxy with PostgreSQL and Redis: an agent's own key, its budget and limits, what it may not do."""

from __future__ import annotations

import hashlib
import itertools
import json
import time

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from strands import Agent, tool
from strands.models.openai import OpenAIModel

from gateway.compile import compile_config
from gateway.settings import GatewaySettings
from gateway.target import GatewayTarget
from tests.support.litellm_proxy import MASTER_KEY, litellm_proxy
from tests.support.managed_proxy import SALT_KEY, managed_variables
from tests.support.openai_server import OpenAIServer, Reply, ToolCall
from tests.support.proxy_log import request_lines

PROVIDER_KEY = "sk-canary-provider-key"
NEXT_MASTER_KEY = "sk-canary-next-master-key"
TEAM = "production"
TARGET = GatewayTarget(profile="managed", execution_mode="production", redis=True, tasks=2)
COST = 1000 * 0.4e-6 + 1000 * 1.6e-6
"""Of each answer of the model `priced`."""

ANSWER = {
    "id": "chatcmpl-recorded",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "gpt-4.1-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
}

_numbers = itertools.count()


@pytest.fixture(scope="module")
def provider():
    with OpenAIServer(Reply(text="An answer", prompt_tokens=1000, completion_tokens=1000)) as server:
        yield server


@pytest.fixture(scope="module")
def variables():
    """What the proxy is told; a second one that is told the same is another task of the service."""
    with managed_variables(redis=True) as managed:
        yield {**managed, "LOCAL_KEY": PROVIDER_KEY, "LITELLM_MASTER_KEY_NEXT": NEXT_MASTER_KEY}


@pytest.fixture(scope="module")
def config(tmp_path_factory, provider):
    here = {"api_key_env": "LOCAL_KEY", "api_base": provider.base_url}
    settings = GatewaySettings.model_validate(
        {
            "retries": {"count": 0},
            "cache": {"type": "redis"},
            "models": {
                "priced": {"model": "openai/gpt-4.1-mini", **here},
                "other": {"model": "openai/gpt-4.1", **here},
                "strong": {"model": "openai/fault-500", "price": {"input_usd": 1, "output_usd": 1}, **here}
                | {"fallbacks": ["priced"]},
            },
        }
    )
    path = tmp_path_factory.mktemp("managed") / "config.yaml"
    path.write_text(compile_config(settings, TARGET))
    return path


@pytest.fixture(scope="module")
def proxy(config, variables):
    """The proxy's address and its log."""
    with litellm_proxy(config, **variables) as running:
        administer(running[0], "/team/new", team_id=TEAM, team_alias=TEAM)
        yield running


def administer(url, path, **body):
    answer = httpx.post(url + path, json=body, headers={"Authorization": f"Bearer {MASTER_KEY}"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def mint(proxy):
    """Makes a key as the deployment does: of the environment's team, with the agent's id as its alias."""

    def mint(alias, **limits):
        return administer(proxy[0], "/key/generate", key_alias=alias, team_id=TEAM, models=["priced"], **limits)["key"]

    return mint


@pytest.fixture
def client(proxy):
    """Makes a client of a key, which tries again as often as it does by default."""
    clients = []

    def client(key):
        clients.append(openai.OpenAI(base_url=f"{proxy[0]}/v1", api_key=key, timeout=60))
        return clients[-1]

    yield client
    for one in clients:
        one.close()


def fresh():
    """Something that no cache has the answer to."""
    return [{"role": "user", "content": f"Question {next(_numbers)}"}]


def test_key_of_an_agent_opens_its_models_and_is_told_the_cost(mint, client):
    own = client(mint("spender", max_budget=1.0, budget_duration="30d"))

    answer = own.chat.completions.with_raw_response.create(model="priced", messages=fresh())

    assert float(answer.headers["x-litellm-response-cost"]) == pytest.approx(COST)
    assert float(answer.headers["x-litellm-key-max-budget"]) == 1.0


def test_what_was_spent_is_recorded_with_its_key_and_team(mint, client, proxy, provider):
    key = mint("recorded")
    # A row of the log is known by the provider's id of its answer.
    provider.script("gpt-4.1-mini", Reply(raw=json.dumps(ANSWER).encode()))

    client(key).chat.completions.create(model="priced", messages=fresh())

    provider.script("gpt-4.1-mini", provider.default)
    of_key = {"api_key": hashlib.sha256(key.encode()).hexdigest()}
    for _ in range(400):
        logs = httpx.get(
            f"{proxy[0]}/spend/logs", params=of_key, headers={"Authorization": f"Bearer {MASTER_KEY}"}, timeout=60
        )
        if logs.status_code == 200 and logs.json():
            break
        time.sleep(0.1)
    (row,) = logs.json()
    assert row["spend"] == pytest.approx(COST)
    assert (row["model_group"], row["team_id"], row["total_tokens"]) == ("priced", TEAM, 2000)
    assert row["metadata"]["user_api_key_alias"] == "recorded"
    assert not row["messages"], "what was said stays out of the database"


def test_spent_budget_is_told_with_its_owner_and_reset_and_not_asked_again(mint, client, proxy, provider):
    own = client(mint("poor", max_budget=COST / 2, budget_duration="1d"))
    own.chat.completions.create(model="priced", messages=fresh())
    before = len(provider.requests)

    with pytest.raises(openai.RateLimitError) as refusal:
        own.chat.completions.create(model="priced", messages=fresh())

    body = refusal.value.body
    assert (refusal.value.type, refusal.value.code) == ("budget_exceeded", "budget_exceeded")
    assert body["owner"] == {"kind": "key", "name": "poor"}
    assert body["resets_at"].endswith("T00:00:00Z")
    assert body["resets_at"] in body["message"]
    assert len(provider.requests) == before
    # The client would have made the call three times.
    assert len(request_lines(proxy[1], owner="poor", refusal="budget_exceeded")) == 1


def test_reached_limit_is_told_with_its_owner_and_reset(mint, client, proxy):
    own = client(mint("hasty", rpm_limit=1)).with_options(max_retries=0)
    own.chat.completions.create(model="priced", messages=fresh())

    with pytest.raises(openai.RateLimitError) as refusal:
        own.chat.completions.create(model="priced", messages=fresh())

    assert (refusal.value.type, refusal.value.code) == ("rate_limit_exceeded", "rate_limit_exceeded")
    assert refusal.value.body["owner"] == {"kind": "key", "name": "hasty"}
    assert refusal.value.body["limit"] == {"of": "requests", "value": 1}
    assert refusal.value.body["resets_at"]
    assert 1 <= int(refusal.value.response.headers["retry-after"]) <= 60
    (line,) = request_lines(proxy[1], owner="hasty", refusal="rate_limit_exceeded")
    assert (line["RateLimitRefusals"], line["team"]) == (1, TEAM)


def test_limit_is_one_for_all_tasks_of_the_service(mint, proxy, config, variables, tmp_path):
    allowed = 4
    key = mint("twofold", rpm_limit=allowed)
    copy = tmp_path / "config.yaml"
    copy.write_text(config.read_text())

    with litellm_proxy(copy, **variables) as second:
        statuses = [_status_of_a_question(url, key) for _ in range(allowed) for url in (proxy[0], second[0])]

    assert sorted(statuses) == [200] * allowed + [429] * allowed


def _status_of_a_question(url, key):
    question = {"model": "priced", "messages": fresh()}
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{url}/v1/chat/completions", json=question, headers=headers, timeout=60).status_code


def test_key_is_refused_for_a_model_that_it_was_not_given(mint, client):
    with pytest.raises(openai.APIStatusError) as refusal:
        client(mint("narrow")).chat.completions.create(model="other", messages=fresh())

    assert refusal.value.status_code in (401, 403)
    assert refusal.value.type == "key_model_access_denied"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/key/generate", {"max_budget": 1000}),
        ("POST", "/key/update", {"key": "sk-x", "max_budget": 1000}),
        ("POST", "/key/delete", {"key_aliases": ["spender"]}),
        ("POST", "/team/new", {"team_alias": "mine"}),
        ("POST", "/team/update", {"team_id": TEAM, "max_budget": 1000}),
        ("POST", "/user/new", {"user_role": "proxy_admin"}),
        ("POST", "/model/new", {"model_name": "mine", "litellm_params": {"model": "openai/x"}}),
        ("POST", "/config/update", {"general_settings": {}}),
        ("GET", "/global/spend", None),
        ("GET", "/key/list", None),
    ],
)
def test_key_of_an_agent_opens_no_administration(mint, proxy, method, path, body):
    key = mint(f"curious-{next(_numbers)}")

    answer = httpx.request(method, proxy[0] + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    assert answer.status_code in (401, 403), answer.text


def test_the_key_that_follows_the_master_key_is_taken_in_its_place(proxy):
    """By every task since it began: a rotation makes it the present one while they serve."""

    def status(header, value):
        return httpx.get(f"{proxy[0]}/key/list", headers={header: value}, timeout=60).status_code

    assert status("Authorization", f"Bearer {NEXT_MASTER_KEY}") == 200
    assert status("x-litellm-api-key", NEXT_MASTER_KEY) == 200
    assert status("Authorization", f"Bearer {NEXT_MASTER_KEY}x") == 401
    assert NEXT_MASTER_KEY not in proxy[1].read_text()


def test_unknown_key_is_refused_without_a_word_of_it(client):
    with pytest.raises(openai.AuthenticationError) as refusal:
        client("sk-canary-unknown").chat.completions.create(model="priced", messages=fresh())

    assert (refusal.value.type, refusal.value.code) == ("invalid_request_error", "invalid_api_key")
    assert "canary" not in str(refusal.value)
    assert "Hash" not in str(refusal.value)


def test_deleted_key_is_refused_from_then_on(mint, client, proxy):
    key = mint("leaving")
    client(key).chat.completions.create(model="priced", messages=fresh())

    administer(proxy[0], "/key/delete", keys=[key])

    with pytest.raises(openai.AuthenticationError):
        client(key).chat.completions.create(model="priced", messages=fresh())


def test_answer_from_the_cache_asks_nobody_and_costs_nothing(mint, client, proxy, provider):
    own, same = client(mint("cached")), fresh()
    first = own.chat.completions.create(model="priced", messages=same)
    before = len(provider.requests)

    for _ in range(100):
        # LiteLLM writes the cache a moment after the answer.
        answer = own.chat.completions.with_raw_response.create(model="priced", messages=same)
        if len(provider.requests) == before:
            break
        before = len(provider.requests)

    assert len(provider.requests) == before
    assert answer.parse().choices[0].message.content == first.choices[0].message.content
    line = request_lines(proxy[1], owner="cached", from_cache=True)[-1]
    assert (line["CostUsd"], line["UnpricedRequests"]) == (0, 0)


def test_strands_is_answered_and_uses_its_tool(mint, proxy, provider):
    provider.script(
        "gpt-4.1-mini",
        Reply(text="", tool_calls=(ToolCall("tell_tide", {"place": "Husum"}),)),
        Reply(text="High tide."),
    )
    asked = []

    def tell_tide(place: str) -> str:
        """Tells the tide of a place."""
        asked.append(place)
        return "high"

    model = OpenAIModel(
        client_args={"base_url": f"{proxy[0]}/v1", "api_key": mint("strands")},
        model_id="priced",
        params={"temperature": 0.1},
    )

    answer = Agent(model=model, tools=[tool(tell_tide)], callback_handler=None)(f"The tide? {next(_numbers)}")

    assert str(answer).strip() == "High tide."
    assert asked == ["Husum"]


def test_langchain_is_answered_whole_and_as_a_stream(mint, proxy, provider):
    provider.script("gpt-4.1-mini", Reply(text="An answer in words", prompt_tokens=1000, completion_tokens=1000))
    model = ChatOpenAI(model="priced", base_url=f"{proxy[0]}/v1", api_key=mint("langchain"), stream_usage=True)

    whole = model.invoke(f"A question {next(_numbers)}")
    pieces = list(model.stream(f"A question {next(_numbers)}"))

    assert whole.content == "An answer in words"
    assert whole.usage_metadata["total_tokens"] == 2000
    assert "".join(piece.content for piece in pieces) == "An answer in words"
    assert len(pieces) > 1


def test_log_tells_no_key(mint, client, proxy):
    key = mint("silent")
    client(key).chat.completions.create(model="priced", messages=fresh())
    request_lines(proxy[1], owner="silent")

    log = proxy[1].read_text()
    for secret in (key, MASTER_KEY, SALT_KEY, PROVIDER_KEY, "sk-canary"):
        assert secret not in log
