"""Every provider with every field of the blueprint's model: each changes what goes out, or is refused with a reason."""

from __future__ import annotations

import asyncio

import pytest

from agent_runtime.blueprint import Model
from tests.providers.conftest import Seen, ask

pytestmark = pytest.mark.filterwarnings("ignore")

WAYS = ("bedrock", "anthropic", "vertex", "openai", "light", "litellm", "named")
BY_KEY = tuple(way for way in WAYS if way != "bedrock")
BY_ADDRESS = ("anthropic", "openai", "light", "litellm")
_GUARD = {"provider": "bedrock", "guardrail_id_env": "GUARDRAIL", "guardrail_version_env": "GUARDRAIL_VERSION"}


def _guarded(**changes):
    return {"observability": {"data_protection": _GUARD | changes}}


# Field: a change of the model, and of the blocks beside it.
CHANGES = {
    "model_id": ({"model_id": "anthropic/claude-opus-4-5"}, {}),
    "temperature": ({"temperature": 0.5}, {}),
    "max_tokens": ({"max_tokens": 77}, {}),
    "api_key_env": ({"api_key_env": "OTHER_KEY"}, {}),
    "extra_headers_env": ({"extra_headers_env": {"X-Team": "TEAM"}}, {}),
    "stream": ({"stream": False}, {}),
    "cache_prompt": ({"cache_prompt": "default"}, {}),
    "cache_prompt with a key": ({"cache_prompt": "tides"}, {}),
    "cache_tools": ({"cache_tools": "default"}, {}),
    "cache_tools with a key": ({"cache_tools": "tides"}, {}),
    "params": ({"params": {"top_p": 0.5}}, {}),
    "params with a list": ({"params": {"stop_sequences": ["END"]}}, {}),
    "params of the vendor": ({"params": {"my_own": {"deep": [1, "a"]}}}, {}),
    "params metadata": ({"params": {"metadata": {"user_id": "tide"}}}, {}),
    "thinking": ({}, {"thinking": {"enabled": True, "budget_tokens": 2048}}),
    "guardrail": ({}, _guarded()),
}
ELSEWHERE = {
    "provider": "every test of this file",
    "base_url": "test_address_is_called",
    "client": "test_client_chooses_the_library",
    "timeout_seconds": "test_timeout_ends_the_wait",
    "num_retries": "test_retries_are_counted",
}


def test_every_field_of_the_model_is_tested():
    fields = {name.partition(" ")[0] for name in CHANGES} & set(Model.model_fields)

    assert fields | set(ELSEWHERE) == set(Model.model_fields)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_differs_by_itself(house, way):
    first, second = house.see(way), house.see(way)

    assert first.error is None
    assert first.text == second.text == "High water at six."
    assert first.requests == second.requests != []


@pytest.fixture(scope="module")
def unchanged():
    """What is seen of each way's blueprint without a change; looked at once, for `test_nothing_differs_by_itself`."""
    return {}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", WAYS)
def test_no_field_is_dropped(house, unchanged, way, change):
    model, blocks = CHANGES[change]
    if way not in unchanged:
        unchanged[way] = house.see(way).outside

    assert house.see(way, model, **blocks).outside != unchanged[way]


SENT = {
    ("bedrock", "temperature"): lambda path, headers, body: body["inferenceConfig"]["temperature"] == 0.5,
    ("bedrock", "max_tokens"): lambda path, headers, body: body["inferenceConfig"]["maxTokens"] == 77,
    ("bedrock", "params"): lambda path, headers, body: body["additionalModelRequestFields"] == {"top_p": 0.5},
    ("bedrock", "cache_prompt"): lambda path, headers, body: body["system"][1] == {"cachePoint": {"type": "default"}},
    ("bedrock", "cache_tools"): lambda path, headers, body: (
        body["toolConfig"]["tools"][-1] == {"cachePoint": {"type": "default"}}
        and "cachePoint" not in str(body["messages"])
    ),
    ("bedrock", "thinking"): lambda path, headers, body: (
        body["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    ),
    ("bedrock", "guardrail"): lambda path, headers, body: (
        body["guardrailConfig"] == {"guardrailIdentifier": "gr-1", "guardrailVersion": "1", "trace": "enabled"}
    ),
    ("bedrock", "stream"): lambda path, headers, body: path.endswith("/converse"),
    ("anthropic", "temperature"): lambda path, headers, body: body["temperature"] == 0.5,
    ("anthropic", "params of the vendor"): lambda path, headers, body: body["my_own"] == {"deep": [1, "a"]},
    ("anthropic", "cache_prompt"): lambda path, headers, body: (
        body["system"][0]["cache_control"]["type"] == "ephemeral"
    ),
    ("anthropic", "cache_tools"): lambda path, headers, body: body["tools"][0]["cache_control"]["type"] == "ephemeral",
    ("anthropic", "thinking"): lambda path, headers, body: body["thinking"]["budget_tokens"] == 2048,
    ("anthropic", "api_key_env"): lambda path, headers, body: headers["x-api-key"].startswith("sk-other"),
    ("anthropic", "extra_headers_env"): lambda path, headers, body: headers["x-team"] == "tides",
    ("vertex", "temperature"): lambda path, headers, body: body["generationConfig"]["temperature"] == 0.5,
    ("vertex", "max_tokens"): lambda path, headers, body: body["generationConfig"]["maxOutputTokens"] == 77,
    ("vertex", "params with a list"): lambda path, headers, body: body["generationConfig"]["stopSequences"] == ["END"],
    ("vertex", "thinking"): lambda path, headers, body: (
        body["generationConfig"]["thinkingConfig"] == {"thinking_budget": 2048, "include_thoughts": True}
    ),
    ("named", "cache_prompt"): lambda path, headers, body: body["system"][0]["cache_control"] == {"type": "ephemeral"},
    ("named", "cache_tools"): lambda path, headers, body: body["tools"][-1]["cache_control"] == {"type": "ephemeral"},
    ("named", "thinking"): lambda path, headers, body: body["thinking"]["budget_tokens"] == 2048,
    ("named", "params metadata"): lambda path, headers, body: body["metadata"] == {"user_id": "tide"},
    ("named", "extra_headers_env"): lambda path, headers, body: headers["x-team"] == "tides",
    **{
        (way, change): check
        for way in ("openai", "light", "litellm")
        for change, check in {
            "temperature": lambda path, headers, body: body["temperature"] == 0.5,
            "params metadata": lambda path, headers, body: body["metadata"] == {"user_id": "tide"},
            "params of the vendor": lambda path, headers, body: body["my_own"] == {"deep": [1, "a"]},
            "cache_prompt with a key": lambda path, headers, body: body["prompt_cache_key"] == "tides",
            "extra_headers_env": lambda path, headers, body: headers["x-team"] == "tides",
        }.items()
    },
}


@pytest.mark.parametrize(("way", "change"), SENT)
def test_field_arrives_where_the_provider_reads_it(house, way, change):
    model, blocks = CHANGES[change]
    seen = house.see(way, model, **blocks)

    assert seen.error is None
    assert SENT[way, change](*seen.requests[0])


REFUSED = [
    ("anthropic", "stream", "always streams"),
    ("vertex", "stream", "always streams"),
    ("vertex", "params of the vendor", "knows no my_own"),
    ("vertex", "extra_headers_env", "no effect"),
    ("vertex", "cache_tools", "caches by itself"),
    ("openai", "thinking", "no effect"),
    *((way, "guardrail", "does not see") for way in BY_KEY),
]


@pytest.mark.parametrize(("way", "change", "words"), REFUSED)
def test_what_a_provider_cannot_do_is_refused_with_the_reason(house, way, change, words):
    model, blocks = CHANGES[change]
    seen = house.see(way, model, **blocks)

    assert seen.requests == []
    assert words in str(seen.error)


@pytest.mark.parametrize("way", BY_ADDRESS)
def test_address_is_called(house, way):
    seen = house.see(way, {"base_url": house.base(way)["base_url"] + "/elsewhere"})

    assert "/elsewhere" in seen.requests[0][0]


@pytest.mark.parametrize(
    ("way", "changes"),
    [
        *((way, {}) for way in WAYS),
        ("named", {"model_id": "openai/gpt-4o"}),
        ("named", {"model_id": "litellm_proxy/tide"}),
    ],
)
@pytest.mark.parametrize("retries", [0, 1])
def test_retries_are_counted(house, way, changes, retries):
    house.api.status = 500
    house.openai.default = house.openai.default.changed(status=500)

    assert len(house.see(way, changes | {"num_retries": retries}).requests) == retries + 1


@pytest.mark.parametrize("way", WAYS)
def test_timeout_ends_the_wait(house, way):
    house.api.delay = 1.5
    house.openai.default = house.openai.default.changed(delay=1.5)
    plans = [house.blueprint(way, {"num_retries": 0} | changes) for changes in ({}, {"timeout_seconds": 1})]
    patient, hasty = seen = Seen(), Seen()

    async def ask_both():
        await asyncio.gather(*(ask(plan, house.source(plan), one) for plan, one in zip(plans, seen, strict=True)))

    asyncio.run(ask_both())

    assert patient.error is None
    assert type(hasty.error).__name__ in ("ModelTimeoutError", "APITimeoutError")


@pytest.mark.parametrize(
    ("client", "kind"), [("auto", "LightModel"), ("openai", "LightModel"), ("litellm", "_EndpointModel")]
)
def test_client_chooses_the_library(house, client, kind):
    seen = house.see("light", {"client": client})

    assert seen.model == kind
    assert seen.text == "High water at six."


@pytest.mark.parametrize(
    ("changes", "member", "value"),
    [
        ({"guardrail_id_env": "OTHER_GUARDRAIL"}, "guardrailIdentifier", "gr-2"),
        ({"guardrail_version_env": "OTHER_VERSION"}, "guardrailVersion", "2"),
    ],
)
def test_guardrail_is_that_of_the_variables(house, changes, member, value):
    assert house.see("bedrock", **_guarded(**changes)).requests[0][2]["guardrailConfig"][member] == value


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"guardrail_id_env": "UNSET"}, "UNSET is not set"),
        ({"on_input": False}, "sees input and output"),
        ({"on_output": False}, "sees input and output"),
    ],
)
def test_guardrail_that_cannot_do_it_fails_closed(house, changes, words):
    seen = house.see("bedrock", **_guarded(**changes))

    assert seen.requests == []
    assert words in str(seen.error)


def test_thinking_of_another_vendors_model_on_bedrock_is_refused(house):
    seen = house.see("bedrock", {"model_id": "amazon.nova-pro-v1:0"}, thinking={"budget_tokens": 2048})

    assert "does not take `thinking`" in str(seen.error)


@pytest.mark.parametrize("way", ["anthropic", "light", "bedrock"])
def test_thinking_that_is_off_is_not_sent(house, way):
    off = house.see(way, thinking={"enabled": False, "budget_tokens": 2048})

    assert off.requests == house.see(way).requests


def test_gemini_is_told_not_to_think(house):
    body = house.see("vertex", thinking={"enabled": False, "budget_tokens": 2048}).requests[0][2]

    assert body["generationConfig"]["thinkingConfig"] == {"thinking_budget": 0, "include_thoughts": False}
