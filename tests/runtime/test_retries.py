"""How long the client waits before it sends a call again."""

from __future__ import annotations

import httpx
import pytest

from agent_runtime import retries
from agent_runtime.retries import delay_before_retry

FIRST, LONGEST = 0.5, 8.0


@pytest.fixture(autouse=True)
def published_delay(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST_DELAY_SECONDS", FIRST)


@pytest.mark.parametrize("response", [None, httpx.Response(429), httpx.Response(500), httpx.Response(503)])
def test_wait_doubles_up_to_a_bound_and_is_spread_over_a_quarter(response):
    for made in range(8):
        longest = min(FIRST * 2**made, LONGEST)
        waits = [delay_before_retry(made, response) for _ in range(50)]
        assert 0.75 * longest <= min(waits) < max(waits) <= longest


@pytest.mark.parametrize(
    ("headers", "wait"), [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "250"}, 0.25), ({"retry-after": "61"}, None)]
)
def test_endpoints_own_word_counts_up_to_a_minute(headers, wait):
    assert delay_before_retry(0, httpx.Response(429, headers=headers)) == wait


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refusal_that_would_come_again_is_not_retried(status):
    assert delay_before_retry(0, httpx.Response(status)) is None
