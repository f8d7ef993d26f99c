"""The key that follows the master key, in front of an application that tells what it was sent."""

from __future__ import annotations

import asyncio

import pytest

from gateway.proxy.next_master_key import take_next_master_key

MASTER, FOLLOWING = "sk-canary-master", "sk-canary-following"


@pytest.fixture
def seen():
    return []


@pytest.fixture
def proxy(seen):
    async def application(scope, receive, send):
        seen.append(scope)

    return application


@pytest.fixture
def send(proxy, monkeypatch):
    """Sends headers through what stands in front of the proxy while a key follows."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", MASTER)
    monkeypatch.setenv("LITELLM_MASTER_KEY_NEXT", FOLLOWING)
    application = take_next_master_key(proxy)

    def call(scope):
        asyncio.run(application(scope, None, None))

    return call


@pytest.mark.parametrize("following", [None, ""])
def test_where_no_key_follows_nothing_stands_in_front_of_the_proxy(proxy, monkeypatch, following):
    monkeypatch.setenv("LITELLM_MASTER_KEY", MASTER)
    if following is None:
        monkeypatch.delenv("LITELLM_MASTER_KEY_NEXT", raising=False)
    else:
        monkeypatch.setenv("LITELLM_MASTER_KEY_NEXT", following)

    assert take_next_master_key(proxy) is proxy


@pytest.mark.parametrize(
    ("header", "sent", "taken"),
    [
        ("authorization", f"Bearer {FOLLOWING}", f"Bearer {MASTER}"),
        ("x-api-key", FOLLOWING, MASTER),
        ("authorization", f"Bearer {FOLLOWING}x", f"Bearer {FOLLOWING}x"),
        ("authorization", f"Bearer {MASTER}", f"Bearer {MASTER}"),
        ("user-agent", FOLLOWING, FOLLOWING),
    ],
)
def test_where_one_follows_it_is_the_master_key_to_the_proxy_wherever_that_looks_for_a_key(
    send, seen, header, sent, taken
):
    scope = {"type": "http", "headers": [(header.encode(), sent.encode()), (b"accept", b"*/*")]}

    send(scope)

    assert seen[0]["headers"] == [(header.encode(), taken.encode()), (b"accept", b"*/*")]
    # What the server holds is as it was sent.
    assert scope["headers"][0] == (header.encode(), sent.encode())


def test_a_connection_without_headers_goes_through(send, seen):
    send({"type": "lifespan"})

    assert seen == [{"type": "lifespan"}]
