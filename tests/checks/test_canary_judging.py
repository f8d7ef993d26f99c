"""Whether a canary is worse than `live`: chance does not decide, and what is worse beyond doubt does."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacks.custom_resources.canary_judging import (
    FEWEST,
    Figures,
    Session,
    Side,
    excess,
    find_breach,
    limits_of,
    wilson,
)
from tests.checks.canary_world import LIMITS

limits = limits_of(LIMITS)


def side(sessions, failed=0, fallbacks=0, latency=100.0, cost=0.001):
    return Side([Session(1, n < failed, n < fallbacks, latency + n % 7, cost) for n in range(sessions)])


def breach(canary, live, share=0.1):
    return find_breach(Figures(canary, live), limits, share)


@pytest.mark.parametrize(
    ("canary", "told"),
    [
        (side(30, failed=15), "failures: 15 of 30 sessions of the canary, 0 of 270 of live"),
        (side(30, fallbacks=20), "fallbacks: 20 of 30 sessions"),
        (
            side(30, latency=400.0),
            "latency: 30 of 30 sessions of the canary, 0 of 270 of live, took more than 1.5 times",
        ),
        (side(30, cost=0.0016), "cost: an invocation of the canary costs 0.001600 USD, of live 0.001000 USD"),
        (side(1), "sessions go missing: 1 of 271 sessions left a line, and 10% of them"),
    ],
)
def test_what_is_worse_beyond_doubt_is_told_with_its_figures(canary, told):
    assert breach(canary, side(270)).startswith(told)


@pytest.mark.parametrize(
    "canary",
    [
        side(30),
        side(30, failed=1),
        side(30, fallbacks=3),
        side(30, latency=140.0),
        side(30, cost=0.0014),
        side(20),
        side(0),
        side(FEWEST - 1, failed=FEWEST - 1),
    ],
)
def test_what_chance_explains_or_the_limits_allow_is_no_breach(canary):
    assert breach(canary, side(270 if canary.sessions >= 20 else 30)) is None


def test_a_provider_that_fails_both_sides_alike_is_not_the_canarys_fault():
    assert breach(side(50, failed=25, fallbacks=20), side(450, failed=225, fallbacks=180)) is None


def test_nothing_is_compared_with_a_side_that_is_too_small():
    assert breach(side(30, latency=900.0, cost=9.0), side(19), share=0.5) is None
    assert breach(side(19, latency=900.0, cost=9.0), side(19), share=0.5) is None


def test_a_canary_without_any_session_of_live_is_held_to_none_that_fail():
    assert breach(side(20, failed=10), side(0), share=0.5).startswith("failures: 10 of 20")


def test_costs_that_nobody_tells_are_not_compared():
    assert breach(side(30, cost=None), side(270)) is None


sessions = st.integers(0, 400)


@given(sessions, st.floats(0, 1), st.integers(0, 2000), st.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_more_failures_never_make_a_breach_go_away(trials, part, others, other_part):
    hits, other_hits = int(trials * part), int(others * other_part)
    if hits < trials:
        assert excess(hits, trials, other_hits, others) <= excess(hits + 1, trials, other_hits, others)
    low, high = wilson(hits, trials)
    assert 0 <= low <= (hits / trials if trials else 0) <= high <= 1


@given(st.integers(0, FEWEST - 1), st.integers(0, 30), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_a_few_sessions_never_decide_by_what_they_did(few, live, kind):
    canary = side(few, failed=few, fallbacks=few if kind else 0, latency=1e6, cost=100.0)

    assert breach(canary, side(live)) is None


def test_an_equal_version_that_is_looked_at_again_and_again_does_not_go_back():
    """Both sides draw from the same faults, fallbacks, times and costs; each look sees all that came before."""
    dice = random.Random(1)  # noqa: S311 - the same figures each time
    went_back = 0

    def session():
        slow = 5 if dice.random() < 0.05 else 1
        return Session(1, dice.random() < 0.04, dice.random() < 0.08, dice.gauss(100, 20) * slow, dice.gauss(1, 0.4))

    for _ in range(20):
        both = {True: [], False: []}
        for _ in range(25):
            for _ in range(40):
                both[dice.random() < 0.1].append(session())
            if breach(Side(both[True]), Side(both[False])):
                went_back += 1
                break
    assert went_back <= 1
