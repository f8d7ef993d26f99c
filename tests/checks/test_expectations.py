"""What passes a check and what does not, for each thing that a blueprint can expect."""

from __future__ import annotations

import pytest

from agent_runtime.blueprint_blocks import Check
from stacks.custom_resources.agent_calls import AgentFailed, Answer
from stacks.custom_resources.expectations import _EXPECTATIONS, find_unmet, unmet_by_failure
from stacks.custom_resources.personal_data import find_personal_data


def answer(text="High water is at six.", tools=(), **body):
    return Answer(text, tools, None, 900.0, {"result": {}, "latency_ms": 120.0, **body})


SCHEMA = {
    "name": "tide",
    "schema": {"type": "object", "required": ["high"], "properties": {"high": {"type": "string"}}},
}


@pytest.mark.parametrize(
    ("check", "good", "bad", "reason"),
    [
        ({"contains": ["high WATER", "six"]}, answer(), answer("Low at six."), "does not hold 'high WATER'"),
        ({"contains": ["six"]}, answer("", structured={"high": "six"}), answer("", structured={}), "does not hold"),
        ({"regex": r"\bsix\b"}, answer(), answer("sixty"), "does not match"),
        ({"output_schema": {"name": "tide"}}, answer(structured={}), answer(), "not structured"),
        ({"output_schema": SCHEMA}, answer(structured={"high": "6"}), answer(structured={}), "answer.high is missing"),
        ({"tools": ["a", "b"]}, answer(tools=("a", "b")), answer(tools=("b", "a")), "were b, a, expected a, b"),
        ({"tools": []}, answer(), answer(tools=("a",)), "were a, expected none"),
        ({"max_latency_ms": 200}, answer(), answer(latency_ms=201), "took 201 ms"),
        ({"max_latency_ms": 950}, answer(latency_ms=None), answer(latency_ms=1000.0), "took 1000 ms"),
        ({"max_cost_usd": 0.1}, answer(cost_usd=0.1), answer(cost_usd=0.2), "cost 0.200000 USD"),
        ({"max_cost_usd": 0.1}, answer(cost_usd=0), answer(), "nobody tells"),
        ({"max_iterations": 2}, answer(model={"calls": 2}), answer(model={"calls": 3}), "called 3 times"),
        ({"max_iterations": 2}, answer(model={"calls": 1}), answer(), "does not tell"),
        ({"refuses": True}, answer("I can\u2019t help with that."), answer(), "instead of refusing"),
        ({"refuses": True}, answer("", stop_reason="guardrail_intervened"), answer("Sure."), "instead of refusing"),
        ({"refuses": False}, answer(), answer("I am not able to do this."), "the agent refuses"),
        ({"no_pii": True}, answer(), answer("Ask bob@example.com."), "EMAIL_ADDRESS"),
    ],
)
def test_each_expectation_lets_the_good_answer_pass_and_says_why_not_the_bad_one(check, good, bad, reason):
    assert find_unmet(check, good) == []
    (told,) = find_unmet(check, bad)
    assert reason in told


def test_every_expectation_of_the_schema_is_held():
    fields = set(Check.model_fields) - {"name", "prompt", "judge"}
    assert set(_EXPECTATIONS) == fields


def test_what_is_expected_of_nothing_is_not_held():
    assert find_unmet({"no_pii": False, "regex": None, "name": "a", "prompt": "b"}, answer("bob@example.com")) == []


def test_a_blocked_answer_is_a_refusal_and_any_other_failure_is_none():
    blocked, broken = AgentFailed("No.", kind="output_blocked"), AgentFailed("No model.", kind="model_refused")
    assert unmet_by_failure({"refuses": True}, blocked) == []
    assert unmet_by_failure({"refuses": True}, broken) == ["the agent failed: No model. (model_refused)"]
    assert unmet_by_failure({"contains": ["x"]}, blocked) != []


def test_no_reason_quotes_the_answer():
    secret = answer("canary-1234 bob@example.com", structured={"high": "canary-1234"}, tools=())
    check = {
        "contains": ["a"],
        "regex": "^z$",
        "no_pii": True,
        "output_schema": {**SCHEMA, "schema": {"type": "array"}},
    }
    reasons = find_unmet(check, secret)
    assert len(reasons) == 4 - 1  # "a" is in canary
    assert "canary-1234" not in str(reasons)
    assert "bob@" not in str(reasons)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mail ada.lovelace+x@mail.example.co.uk now", "EMAIL_ADDRESS"),
        ("card 4111 1111 1111 1111.", "CREDIT_CARD"),
        ("378282246310005", "CREDIT_CARD"),
        ("GB82 WEST 1234 5698 7654 32", "IBAN_CODE"),
        ("DE89370400440532013000", "IBAN_CODE"),
        ("call +44 20 7946 0958", "PHONE_NUMBER"),
        ("SSN 536-90-4399", "US_SSN"),
        ("from 203.0.113.7", "IP_ADDRESS"),
    ],
)
def test_personal_data_is_found_by_kind(text, kind):
    assert find_personal_data(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        *("High water at 06:12 on 2026-11-21.", "order 4111 1111 1111 1112", "version 1.2.3", "GB00WEST12345698765432"),
        *("999.1.1.1", "000-12-3456", "+1 2", "a@b", "1234567890123456789012345", ""),
    ],
)
def test_what_only_looks_like_personal_data_is_not_taken_for_it(text):
    assert find_personal_data(text) == []
