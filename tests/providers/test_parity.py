"""The light client and LiteLLM behind an address: the same requests, the same events, the same errors."""

from __future__ import annotations

from functools import cache

import pytest

from tests.providers.parity import Case, Outcome, blueprint_of, run
from tests.providers.parity_cases import CASES

pytestmark = pytest.mark.filterwarnings("ignore")
BY_NAME = {case.name: case for case in CASES}


@cache
def outcome(name: str, client: str) -> Outcome:
    """What a client did in a case; asked once in a session."""
    return run(BY_NAME[name], client)


def test_there_are_enough_cases_and_each_has_a_name_of_its_own():
    assert len(BY_NAME) == len(CASES) >= 60


@pytest.mark.parametrize("name", BY_NAME)
def test_both_clients_send_the_same_and_yield_the_same(name):
    light, litellm = outcome(name, "light"), outcome(name, "litellm")

    assert light.requests == litellm.requests
    assert light.events == litellm.events
    assert light.error == litellm.error
    assert light.told == litellm.told
    assert light.requests, "a case that sends nothing shows nothing"


@pytest.mark.parametrize("name", BY_NAME)
def test_the_published_way_sends_the_same(name):
    light, published = outcome(name, "light"), outcome(name, "published")

    # A reason that no longer holds is to be removed.
    assert (light.requests == published.requests) == (not BY_NAME[name].published)


@pytest.mark.parametrize("name", [case.name for case in CASES if case.model.get("client") is None])
def test_auto_takes_the_light_client(name):
    plan = blueprint_of(BY_NAME[name], "auto", "http://127.0.0.1:9/v1")

    assert plan.model.uses_light_client
    assert plan.dependency_set == "light"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("status 401", "KeyRefusedError"),
        ("status 429", "ModelThrottledException"),
        ("context window", "ContextWindowOverflowException"),
        ("cut in the stream", "BrokenAnswerError"),
        ("half a JSON", "BrokenAnswerError"),
        ("status 503", "CallRefusedError"),
        ("status 404", "CallRefusedError"),
    ],
)
def test_errors_are_those_that_the_agent_knows(name, error):
    raised = outcome(name, "litellm").error

    assert raised is not None
    assert raised[0] == error


def test_no_error_quotes_the_key():
    raised = [outcome(name, client).error for name in BY_NAME for client in ("light", "litellm")]

    assert [error for error in raised if error and "sk-parity" in error[1]] == []
    assert len([error for error in raised if error]) > 30


def test_a_difference_would_be_seen():
    plain = run(Case("plain"), "light")

    assert run(Case("other", model={"temperature": 0.3}), "litellm").requests != plain.requests
    assert run(Case("other", headers={"X-Team": "a"}), "litellm").requests != plain.requests
