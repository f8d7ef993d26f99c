"""Rotations under load: a managed gateway with its database, real handlers, a provider that counts by key."""

from __future__ import annotations

import time

import httpx

from tests.support.drill import CACHE_SECONDS, Load, until_everywhere
from tests.support.litellm_proxy import MASTER_KEY
from tests.support.managed_world import (
    ADMINISTRATOR,
    AGENT_KEY,
    BEHIND,
    DATABASE_KEY,
    DIRECT,
    PREFIX,
    PROVIDER_KEY,
)
from tests.support.servers import may_log_in, set_password

RATE = 8
NEW_HEADERS = {"ACCESS_ID": "canary-id-2", "ACCESS_SECRET": "canary-header-2"}
NEW_ADMINISTRATOR = "canary-administrator-2"


def ask_in_turn(handler, count):
    """Asks a handler so many times, one after the other; gives the statuses."""
    asked = [httpx.post(f"{handler.url}/invocations", json={"prompt": "Hello"}, timeout=60) for _ in range(count)]
    return [answer.status_code for answer in asked]


def keys_of_headers(provider, since):
    """The header secrets that came to the provider, whose other callers send none."""
    sent = {one.header("cf-access-client-secret") for one in provider.requests if one.arrived >= since}
    return sent - {None}


def test_an_agents_key_rotates_under_load(world):
    old = world.value(AGENT_KEY)
    with Load([world.handlers[BEHIND].url], RATE) as load:
        load.calm(2)
        world.rotate(AGENT_KEY, grace_seconds=0)
        until_everywhere([world.handlers[BEHIND]], {AGENT_KEY: world.version(AGENT_KEY)}, 3 * CACHE_SECONDS)

    assert load.faults == []
    assert [world.opens(old), world.opens(world.value(AGENT_KEY))] == [False, True]


def test_headers_that_work_together_rotate_under_load(world):
    with Load([world.handlers[DIRECT].url], RATE) as load:
        load.calm(1)
        world.rotate(*NEW_HEADERS, values=NEW_HEADERS)
        ended = time.monotonic()
        time.sleep(1)

    assert load.faults == []
    assert keys_of_headers(world.provider, 0) == {"canary-header-1", "canary-header-2"}
    assert keys_of_headers(world.provider, ended) == {"canary-header-2"}


def test_the_databases_administrator_gets_another_password_under_load(world):
    """As RDS rotates it: the gateway's tasks connect as a role of their own, and notice nothing."""
    with Load([world.handlers[BEHIND].url], RATE) as load:
        load.calm(1)
        set_password(NEW_ADMINISTRATOR)
        time.sleep(1)

    assert load.faults == []
    assert not may_log_in(world.database, ADMINISTRATOR)
    assert may_log_in(world.database, NEW_ADMINISTRATOR)


def test_a_key_that_was_dead_before_its_rotation_costs_one_refusal(world):
    old, new = world.value("DIRECT_KEY"), "canary-direct-after-its-end"
    ask_in_turn(world.handlers[DIRECT], 1)
    world.provider.accept_only(new, PROVIDER_KEY)
    world.rotate("DIRECT_KEY", values={"DIRECT_KEY": new}, wait=False)
    before = len(world.provider.requests)

    statuses = ask_in_turn(world.handlers[DIRECT], 5)

    assert statuses == [200] * 5
    assert [one.key for one in world.provider.requests[before:]].count(old) <= 1


def test_no_value_is_in_anything_that_was_written(world):
    values = [world.value(AGENT_KEY), world.value(AGENT_KEY, "AWSPREVIOUS"), *NEW_HEADERS.values()]
    values += ["canary-header-1", "canary-direct", PROVIDER_KEY, DATABASE_KEY, ADMINISTRATOR, MASTER_KEY]
    functions = world.aws.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda")["logGroups"]
    lines = [
        event["message"]
        for group in functions
        for event in world.aws.logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
    ]
    pings = [httpx.get(f"{one.url}/ping?details=1").text for one in world.handlers.values()]
    described = str(world.aws.secretsmanager.list_secrets()["SecretList"])
    written = [world.console.file.getvalue(), described, *lines, *pings, *(log.read_text() for log in world.logs)]

    assert PREFIX in described
    assert any("promoted" in text for text in written)
    assert [value for value in values for text in written if value in text] == []
