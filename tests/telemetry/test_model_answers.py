"""What an invocation tells of who answered: from LiteLLM's headers, from bodies, and over many calls."""

from __future__ import annotations

import pytest

from agent_runtime.model_answers import ModelAnswers

HEADERS = {
    "x-litellm-call-id": "call-1",
    "x-litellm-model-id": "deployment-1",
    "x-litellm-model-name": "openai/gpt-4.1-mini",
    "x-litellm-model-group": "house",
    "x-litellm-attempted-retries": "2",
    "x-litellm-attempted-fallbacks": "0",
    "x-litellm-overhead-duration-ms": "11.5",
    "x-litellm-response-cost": "0.25",
    "content-type": "application/json",
}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def answered(headers, usage=USAGE, *, asked=None, told=None):
    told = told or ModelAnswers()
    told.note_attempt()
    told.begin(headers)
    told.note_model("house")
    told.end(usage, asked=asked)
    return told


def kinds(told):
    return [warning["type"] for warning in told.as_members("house")["warnings"]]


def test_a_gateways_headers_tell_who_answered_and_what_it_took():
    told = answered(HEADERS).as_members("house")

    assert told == {
        "model": {
            **{"requested": "house", "answered": "openai/gpt-4.1-mini", "all_answered": ["openai/gpt-4.1-mini"]},
            **{"fallback": False, "calls": 1, "attempts": 3},
        },
        "cost_usd": 0.25,
        "cost_source": "gateway_header",
        "gateway": {
            **{"overhead_ms": 11.5, "call_ids": ["call-1"]},
            **{"model_id": "deployment-1", "model_group": "house"},
        },
        "warnings": [],
    }


def test_an_endpoint_that_tells_nothing_leaves_it_unknown():
    told = answered({"content-type": "application/json"}, None).as_members("m")

    assert told["model"] == {
        **{"requested": "m", "answered": "house", "all_answered": ["house"]},
        **{"fallback": None, "calls": 1, "attempts": 1},
    }
    assert (told["cost_usd"], told["cost_source"], told["gateway"], told["warnings"]) == (None, None, None, [])


def test_all_calls_of_an_invocation_are_covered():
    told = answered(HEADERS)
    other = HEADERS | {
        **{"x-litellm-attempted-fallbacks": "1", "x-litellm-model-group": "weaker", "x-litellm-call-id": "call-2"},
        **{"x-litellm-model-name": "openai/gpt-weak", "x-litellm-attempted-retries": "0"},
    }
    answered(other, USAGE | {"cost": 0.5}, told=told)
    answered(HEADERS | {"x-litellm-call-id": "call-3"}, told=told)

    members = told.as_members("house")
    assert members["model"] == {
        "requested": "house",
        "answered": "openai/gpt-4.1-mini",
        "all_answered": ["openai/gpt-4.1-mini", "openai/gpt-weak"],
        **{"fallback": True, "calls": 3, "attempts": 3 + 2 + 1 + 2},
    }
    assert members["cost_usd"] == 1.0
    assert members["gateway"]["call_ids"] == ["call-1", "call-2", "call-3"]
    assert members["gateway"]["overhead_ms"] == 34.5
    assert kinds(told) == ["fallback"]
    assert "fell back to weaker" in members["warnings"][0]["message"]


def test_fallback_to_a_weaker_model_is_told_as_one():
    told = answered(HEADERS | {"x-litellm-attempted-fallbacks": "1", "x-strandline-tier-fallback": "true"})

    (warning,) = told.warnings
    assert warning.message.endswith("fell back to house, a weaker one.")


def test_what_happens_at_each_call_is_warned_of_once():
    told = ModelAnswers()
    for _ in range(3):
        answered(HEADERS | {"x-litellm-response-cost": "0.0", "x-litellm-attempted-fallbacks": "1"}, told=told)

    assert kinds(told) == ["fallback", "zero_cost"]


@pytest.mark.parametrize(
    ("headers", "usage", "warned"),
    [
        (HEADERS | {"x-litellm-response-cost": "0.0"}, USAGE, ["zero_cost"]),
        ({}, USAGE | {"cost": 0}, ["zero_cost"]),
        # LiteLLM since 1.102: a model without a price has no cost at all.
        ({"x-litellm-call-id": "1"}, USAGE, ["zero_cost"]),
        ({"x-litellm-call-id": "1"}, None, []),
        ({}, USAGE, []),
        ({}, USAGE | {"total_tokens": 0, "cost": 0}, []),
        (HEADERS, USAGE, []),
    ],
)
def test_tokens_that_cost_nothing_are_warned_of(headers, usage, warned):
    assert kinds(answered(headers, usage)) == warned


@pytest.mark.parametrize("told", ["", "none", "-1", "nan", "inf", "1e999"])
def test_a_number_that_is_none_is_not_taken_for_one(told):
    names = ("response-cost", "attempted-retries", "attempted-fallbacks", "overhead-duration-ms")
    members = answered({f"x-litellm-{name}": told for name in names}).as_members("house")

    assert (members["cost_usd"], members["model"]["attempts"], members["model"]["fallback"]) == (None, 1, None)
    assert members["gateway"]["overhead_ms"] is None


def test_a_gateway_may_name_what_it_did_not_pass_on():
    told = answered(HEADERS | {"x-strandline-dropped-params": "top_p, seed"})

    assert kinds(told) == ["dropped_parameter", "dropped_parameter"]
    assert "top_p" in told.warnings[0].message


@pytest.mark.parametrize(
    ("asked", "details", "warned"),
    [
        ({"max_tokens": 6}, None, ["dropped_parameter"]),
        ({"max_completion_tokens": 6}, None, ["dropped_parameter"]),
        ({"max_tokens": 7}, None, []),
        ({"max_tokens": 5}, {"reasoning_tokens": 2}, []),
        ({}, None, []),
    ],
)
def test_an_answer_longer_than_was_asked_for_proves_that_the_limit_was_dropped(asked, details, warned):
    usage = USAGE | {"completion_tokens_details": details}

    assert kinds(answered(HEADERS, usage, asked=asked)) == warned
