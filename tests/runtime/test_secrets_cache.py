"""How fresh the secrets are, who waits for them, and what happens while Secrets Manager is out."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from agent_runtime import elapsed
from agent_runtime.elapsed import ElapsedClock
from agent_runtime.secret_reader import NoValueError, SecretError, SecretValue
from agent_runtime.secret_store import CACHE_SECONDS, STALE_SECONDS, CachePolicy, SecretStore
from agent_runtime.telemetry import metrics
from tests.runtime.handler import Clock
from tests.support.secrets_manager import SecretsManager, service_error

OLD, NEW = "sk-canary-old-0123456789", "sk-canary-new-0123456789"
REVOKED_SECONDS = CachePolicy().revoked
OUT_OF_REACH = EndpointConnectionError(endpoint_url="https://secretsmanager.example")
OUTAGES = {
    "down": OUT_OF_REACH,
    "slow": ReadTimeoutError(endpoint_url="https://secretsmanager.example"),
    "throttled": service_error("ThrottlingException"),
    "failing": service_error("InternalServiceError", "canary"),
    "new-error": service_error("SomethingElseException", "canary"),
}
REVOCATIONS = {
    "denied": ("AccessDeniedException", None),
    "key-denied": ("AccessDeniedException", "Access to KMS is not allowed"),
    "deleted": ("ResourceNotFoundException", None),
    "pending-deletion": ("InvalidRequestException", None),
    "decryption": ("DecryptionFailure", None),
}


class House:
    """A store, its Secrets Manager and its clock; a request that need not wait never does."""

    def __init__(self, chance=lambda: 0.5, policy=None, clock=None):
        self.manager = SecretsManager(MODEL_KEY=OLD, TEAM="canary-team", SECOND="canary-second")
        self.clock = clock or Clock()
        self.store = SecretStore(
            prefix="strandline/test/",
            environment="test",
            client_factory=lambda: self.manager,
            clock=self.clock,
            policy=policy,
            chance=chance,
        )

    def read(self, *variables, optional=()):
        """What a request gets, once what it may have begun in the background has ended."""
        values = asyncio.run(self.store.get_all(variables or ("MODEL_KEY",), optional))
        self.settle()
        return {variable: value.text for variable, value in values.items()}

    def settle(self):
        """Waits for the read that is on its way, if there is one."""
        reading = self.store._reading
        if reading is not None:
            reading.done.result(30)

    def answers_late(self):
        """Has Secrets Manager tell what it holds when it is asked, and be heard once this event is set."""
        heard, answer = threading.Event(), self.manager.batch_get_secret_value

        def answer_late(**request):
            told = answer(**request)
            assert heard.wait(30)
            return told

        self.manager.batch_get_secret_value = answer_late
        return heard

    @property
    def key(self):
        """The key that a request gets."""
        return self.read("MODEL_KEY")["MODEL_KEY"]


@pytest.fixture
def house():
    return House()


@pytest.fixture
def emf(capsys):
    """The metrics that were written, as name and values."""
    metrics.configure(metrics.Dimensions("test", "tide", "1.0.0"))
    yield lambda: [
        (name["Name"], line[name["Name"]])
        for line in map(json.loads, capsys.readouterr().out.splitlines())
        for name in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    ]
    metrics.configure(None)


async def until(condition):
    """Lets others run until something holds."""
    while not condition():
        await asyncio.sleep(0.005)


# Before the first request


def test_a_store_that_nobody_asked_holds_no_time_no_number_no_client_and_no_thread():
    def refuse():
        raise AssertionError("asked for before the first request")

    before = threading.enumerate()
    store = SecretStore(prefix="p/", environment="test", client_factory=refuse, clock=refuse, chance=refuse)

    store.register(["MODEL_KEY", "TEAM"])

    assert (store.versions(), store.ages()) == ({}, {})
    assert threading.enumerate() == before


def test_the_stores_own_clock_does_not_run_before_it_is_asked(monkeypatch):
    monkeypatch.setattr(elapsed, "time", None)

    ElapsedClock()


# One call for all


def test_the_first_request_reads_all_that_anybody_registered(house):
    house.store.register(["MODEL_KEY", "TEAM"])
    house.store.register(["SECOND", "MODEL_KEY"])

    assert house.read("TEAM") == {"TEAM": "canary-team"}
    assert house.read("MODEL_KEY", "SECOND") == {"MODEL_KEY": OLD, "SECOND": "canary-second"}

    assert house.manager.batches == [[f"strandline/test/{name}" for name in ("MODEL_KEY", "SECOND", "TEAM")]]


def test_a_variable_that_nobody_registered_is_read_when_it_is_asked_for(house):
    house.store.register(["MODEL_KEY"])
    assert house.key == OLD

    assert house.read("TEAM") == {"TEAM": "canary-team"}


def test_a_request_for_another_variable_waits_for_the_read_on_its_way_and_follows_with_its_own(house):
    async def run():
        house.manager.hold.clear()
        first = asyncio.ensure_future(house.store.get_all(["MODEL_KEY"]))
        await until(lambda: house.manager.batches)
        second = asyncio.ensure_future(house.store.get_all(["TEAM"]))
        await asyncio.sleep(0)
        house.manager.hold.set()
        return await asyncio.gather(first, second)

    first, second = asyncio.run(run())

    assert (first["MODEL_KEY"].text, second["TEAM"].text) == (OLD, "canary-team")
    assert len(house.manager.batches) == 2


def test_ten_thousand_reads_within_the_time_are_one_call(house):
    async def run():
        for _ in range(10_000):
            await house.store.get_all(["MODEL_KEY"], optional=["TEAM"])
            house.clock.now += CACHE_SECONDS * 0.8 / 10_001

    asyncio.run(run())

    assert len(house.manager.batches) == 1


def test_a_busy_day_of_a_session_makes_one_call_for_each_time_and_no_value_is_older(house):
    oldest = 0.0
    for _ in range(8 * 360):
        house.read()
        oldest = max(oldest, house.store.ages()["MODEL_KEY"])
        house.clock.now += 10

    hours = 8 * 3600
    assert hours / CACHE_SECONDS <= len(house.manager.batches) <= hours / (CACHE_SECONDS * 0.8) + 1
    assert oldest < CACHE_SECONDS


@pytest.mark.parametrize("age", [0, CACHE_SECONDS * 0.9, CACHE_SECONDS], ids=["cold", "refreshed", "expired"])
def test_sixty_four_threads_with_loops_of_their_own_share_one_call(house, age):
    if age:
        house.read()
        house.clock.now += age
    house.manager.batches.clear()
    together = threading.Barrier(64)

    def read():
        together.wait()
        return asyncio.run(house.store.get_all(["MODEL_KEY"]))["MODEL_KEY"].text

    with ThreadPoolExecutor(64) as pool:
        texts = {read.result() for read in [pool.submit(read) for _ in range(64)]}
    house.settle()

    assert texts == {OLD}
    assert len(house.manager.batches) == 1


def test_a_hundred_concurrent_requests_share_one_call(house):
    async def run():
        return await asyncio.gather(*(house.store.get_all(["MODEL_KEY"]) for _ in range(100)))

    assert {value["MODEL_KEY"].text for value in asyncio.run(run())} == {OLD}
    assert len(house.manager.batches) == 1


def test_a_cancelled_request_leaves_the_read_to_the_others(house):
    async def run():
        house.manager.hold.clear()
        first, second = (asyncio.ensure_future(house.store.get_all(["MODEL_KEY"])) for _ in range(2))
        await until(lambda: house.manager.batches)
        first.cancel()
        await asyncio.sleep(0)
        house.manager.hold.set()
        return await second

    assert asyncio.run(run())["MODEL_KEY"].text == OLD
    assert len(house.manager.batches) == 1


def test_nothing_is_locked_while_secrets_manager_takes_its_time(house):
    house.read()
    house.clock.now += CACHE_SECONDS * 0.9
    house.manager.hold.clear()

    asyncio.run(house.store.get_all(["MODEL_KEY"]))
    # What `/ping` tells, from another thread, while the read is on its way.
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(lambda: (house.store.versions(), house.store.ages())).result()
    house.manager.hold.set()
    house.settle()

    assert [list(one) for one in told] == [["MODEL_KEY"], ["MODEL_KEY"]]


# Refresh


@pytest.mark.parametrize(("chance", "begins"), [(0.0, 240), (0.5, 262.5), (1.0, 285)])
def test_the_refresh_begins_before_the_time_is_over_and_not_at_once_in_all_processes(chance, begins):
    house = House(lambda: chance)
    house.read()

    house.clock.now += begins - 1
    house.read()
    assert len(house.manager.batches) == 1

    house.clock.now += 1
    house.read()
    assert len(house.manager.batches) == 2


def test_the_stores_own_chance_differs_from_store_to_store():
    begins = set()
    for _ in range(3):
        house = House(chance=None)
        house.read()
        begins.add(house.store._refresh_at)

    assert len(begins) == 3
    assert all(240 <= begin - house.clock.now <= 285 for begin in begins)


def test_a_refresh_in_the_background_keeps_nobody_waiting(house):
    house.read()
    house.clock.now += CACHE_SECONDS * 0.9
    house.manager.put("MODEL_KEY", NEW)
    house.manager.hold.clear()

    during = [asyncio.run(house.store.get_all(["MODEL_KEY"]))["MODEL_KEY"].text for _ in range(3)]
    house.manager.hold.set()
    house.settle()

    assert during == [OLD] * 3
    assert house.key == NEW
    assert len(house.manager.batches) == 2


def test_a_session_that_idled_reads_before_it_serves(house):
    house.read()
    house.manager.put("MODEL_KEY", NEW)

    house.clock.now += CACHE_SECONDS

    assert house.key == NEW


def test_a_read_that_slept_with_the_session_is_not_taken_for_news(house):
    house.read()
    house.clock.now += CACHE_SECONDS * 0.9
    answered = house.answers_late()
    asyncio.run(house.store.get_all(["MODEL_KEY"]))

    async def wake_up():
        # The answer of before is in the socket; an hour and a rotation later the session goes on.
        await until(lambda: len(house.manager.batches) == 2)
        house.clock.now += 3600
        house.manager.put("MODEL_KEY", NEW)
        request = asyncio.ensure_future(house.store.get_all(["MODEL_KEY"]))
        await asyncio.sleep(0)
        answered.set()
        return (await request)["MODEL_KEY"].text

    assert asyncio.run(wake_up()) == NEW


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        ([(10, 10)], 10),
        ([(0, 3600)], 3600),  # a microVM that was paused or restored: only the wall clock is put right
        ([(10, -7200)], 10),  # the wall clock was set back
        ([(-5, -5)], 0),
        ([(10, 10), (0, 3600), (5, 5)], 3615),
    ],
    ids=["awake", "frozen", "set-back", "never-back", "mixed"],
)
def test_time_passes_for_a_frozen_session_too(monkeypatch, steps, seconds):
    now = {"monotonic": 50.0, "time": 1_800_000_000.0}
    monkeypatch.setattr(time, "monotonic", lambda: now["monotonic"])
    monkeypatch.setattr(time, "time", lambda: now["time"])
    clock = ElapsedClock()
    began = clock()

    for awake, wall in steps:
        now["monotonic"] += awake
        now["time"] += wall
        clock()

    assert clock() - began == pytest.approx(seconds)


def test_a_process_that_is_told_to_end_does_not_wait_for_a_read():
    program = """
import asyncio, threading
from agent_runtime.secret_store import CachePolicy, SecretStore

class Silent:
    def batch_get_secret_value(self, **request):
        threading.Event().wait()

store = SecretStore(prefix="p/", environment="test", client_factory=Silent, policy=CachePolicy(deadline=0.01))
try:
    asyncio.run(store.get_all(["KEY"]))
except Exception as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout == ("Secret p/KEY cannot be read: Secrets Manager has not answered within 0.01 seconds.\n")
    assert done.stderr == ""


# Secrets Manager is out


@pytest.mark.parametrize("outage", OUTAGES)
def test_what_is_in_hand_serves_through_an_outage_up_to_a_bound(house, outage, caplog, emf):
    house.read()
    house.manager.down = OUTAGES[outage]

    for age in (CACHE_SECONDS * 0.9, CACHE_SECONDS, 3600 + CACHE_SECONDS, STALE_SECONDS - 1):
        house.clock.now = 1000 + age
        assert house.key == OLD, age
    house.clock.now = 1000 + STALE_SECONDS

    with pytest.raises(SecretError, match=r"^Secret strandline/test/MODEL_KEY cannot be read[^\n]*$") as refusal:
        house.read()
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 4
    assert "variable=<MODEL_KEY>, cause=<outage>, version=<" in warnings[0].getMessage()
    assert "age_seconds=<270> | the last good value is kept: Secret " in warnings[0].getMessage()
    assert "canary" not in f"{caplog.text}{refusal.value}"
    told = emf()
    assert told.count(("SecretRefreshFailures", 1.0)) == 5
    assert ("SecretAge", 270.0) in told
    # What may serve no more is not kept either.
    assert house.store.versions() == {}


def test_an_outage_that_ends_is_forgotten(house):
    house.read()
    house.manager.down = OUT_OF_REACH
    house.clock.now += STALE_SECONDS
    with pytest.raises(SecretError):
        house.read()

    house.manager.down = None
    house.manager.put("MODEL_KEY", NEW)

    assert house.key == NEW
    assert house.store.ages() == {"MODEL_KEY": 0.0}


def test_a_slow_secrets_manager_keeps_a_request_waiting_once_and_the_others_not_at_all():
    house = House(policy=CachePolicy(patience=0.05))
    house.read()
    house.clock.now += CACHE_SECONDS
    house.manager.put("MODEL_KEY", NEW)
    house.manager.hold.clear()

    waits = []
    real = asyncio.wait_for

    async def noted(future, seconds):
        waits.append(seconds)
        return await real(future, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "wait_for", noted)
        during = [asyncio.run(house.store.get_all(["MODEL_KEY"]))["MODEL_KEY"].text for _ in range(5)]
    house.manager.hold.set()
    house.settle()

    assert during == [OLD] * 5
    assert waits == [0.05]
    assert house.key == NEW
    assert len(house.manager.batches) == 2


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_tries_in_an_outage_are_further_and_further_apart(chance):
    house = House(lambda: chance)
    house.read()
    house.manager.down = OUT_OF_REACH
    house.manager.batches.clear()
    tried = []
    for _ in range(600):
        house.clock.now += 1
        before = len(house.manager.batches)
        assert house.key == OLD
        tried += [house.clock.now] * (len(house.manager.batches) - before)

    pauses = [later - earlier for earlier, later in pairwise(tried)]
    spread = 0.5 + 0.5 * chance
    assert pauses[:7] == [max(1, pause * spread) for pause in (2, 4, 8, 16, 32, 60, 60)]
    assert set(pauses[6:]) == {60 * spread}


def test_an_outage_at_a_cold_start_is_told_in_one_line_and_the_next_request_works(house):
    house.manager.down = OUT_OF_REACH

    with pytest.raises(SecretError, match=r"cannot be reached \(EndpointConnectionError\)\.$"):
        house.read()
    house.manager.down = None

    assert house.key == OLD


def test_a_silent_secrets_manager_at_a_cold_start_is_not_waited_for_for_ever():
    house = House(policy=CachePolicy(deadline=0.05))
    house.manager.hold.clear()

    for _ in range(2):
        with pytest.raises(SecretError, match=r"has not answered within 0\.05 seconds\.$"):
            asyncio.run(house.store.get_all(["MODEL_KEY"]))
    house.manager.hold.set()
    house.settle()

    assert len(house.manager.batches) == 1
    assert asyncio.run(house.store.get_all(["MODEL_KEY"]))["MODEL_KEY"].text == OLD


# Secrets that were taken away, or cannot be used


@pytest.mark.parametrize("case", REVOCATIONS)
def test_a_secret_taken_away_serves_on_for_minutes_and_no_longer(house, case, caplog):
    code, said = REVOCATIONS[case]
    house.read()
    house.manager.refuse("MODEL_KEY", code, said)

    for age in (CACHE_SECONDS, REVOKED_SECONDS - 1):
        house.clock.now = 1000 + age
        assert house.key == OLD, age
    house.clock.now = 1000 + REVOKED_SECONDS

    with pytest.raises(SecretError, match=code):
        house.read()
    assert "cause=<revoked>" in caplog.text
    assert house.store.versions() == {}
    # An outage of Secrets Manager brings it back no more.
    house.manager.down = OUT_OF_REACH
    with pytest.raises(SecretError):
        house.read()
    house.manager.down = None
    house.manager.faults.clear()
    assert house.key == OLD


@pytest.mark.parametrize("text", ["", " \n", b"\x00canary", "canary\nX: 1"], ids=["empty", "blank", "binary", "lines"])
def test_a_new_version_that_cannot_be_a_key_leaves_the_last_good_one_in_use(house, text, caplog):
    house.read()
    house.manager.put("MODEL_KEY", text)

    for age in (CACHE_SECONDS, 3600, STALE_SECONDS - 1):
        house.clock.now = 1000 + age
        assert house.key == OLD, age
    assert "cause=<broken>" in caplog.text
    assert "canary" not in caplog.text

    house.manager.put("MODEL_KEY", NEW)
    house.clock.now += 60
    house.read()
    assert house.key == NEW


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_one_secrets_fault_leaves_the_others_fresh(house, code):
    house.read("MODEL_KEY", "TEAM")
    house.manager.refuse("TEAM", code)
    house.manager.put("MODEL_KEY", NEW)
    house.clock.now += CACHE_SECONDS

    assert house.read("MODEL_KEY", "TEAM") == {"MODEL_KEY": NEW, "TEAM": "canary-team"}
    assert house.store.ages() == {"MODEL_KEY": 0.0, "TEAM": CACHE_SECONDS}


def test_an_error_is_raised_anew_each_time(house):
    house.manager.remove("MODEL_KEY")
    raised = []
    for _ in range(2):
        with pytest.raises(NoValueError) as refusal:
            house.read()
        raised.append(refusal.value)

    assert raised[0] is not raised[1]


# Secrets that may be absent


@pytest.mark.parametrize("absent", ["never-set", "emptied", "deleted"])
def test_an_optional_secret_without_a_value_is_left_out_at_once_and_asked_for_once(house, absent):
    if absent != "never-set":
        assert house.read("MODEL_KEY", optional=["TEAM"]) == {"MODEL_KEY": OLD, "TEAM": "canary-team"}
    if absent == "emptied":
        house.manager.put("TEAM", "")
    else:
        house.manager.remove("TEAM")
    house.clock.now += CACHE_SECONDS

    for _ in range(3):
        assert house.read("MODEL_KEY", optional=["TEAM"]) == {"MODEL_KEY": OLD}
    assert len(house.manager.batches) == (1 if absent == "never-set" else 2)

    house.manager.put("TEAM", "canary-set")
    house.clock.now += CACHE_SECONDS
    assert house.read("MODEL_KEY", optional=["TEAM"]) == {"MODEL_KEY": OLD, "TEAM": "canary-set"}


def test_an_absent_secret_stays_absent_through_an_outage(house):
    house.manager.remove("TEAM")
    house.read("MODEL_KEY", optional=["TEAM"])
    house.manager.down = OUT_OF_REACH
    house.clock.now += CACHE_SECONDS

    assert house.read("MODEL_KEY", optional=["TEAM"]) == {"MODEL_KEY": OLD}


def test_an_optional_secret_that_cannot_be_read_is_no_absent_one(house):
    house.manager.refuse("TEAM", "AccessDeniedException")

    with pytest.raises(SecretError, match="TEAM"):
        house.read("MODEL_KEY", optional=["TEAM"])


# A provider refuses the key


def refused(house):
    return {"MODEL_KEY": house.store.versions()["MODEL_KEY"]}


def reread(house, versions):
    asyncio.run(house.store.reread(versions))
    house.settle()


def test_a_hundred_refusals_of_one_version_share_one_read(house):
    house.read()
    versions = refused(house)
    house.manager.put("MODEL_KEY", NEW)

    async def run():
        await asyncio.gather(*(house.store.reread(versions) for _ in range(100)))

    asyncio.run(run())

    assert house.key == NEW
    assert len(house.manager.batches) == 2


def test_a_refusal_that_comes_late_reads_nothing(house):
    house.read()
    versions = refused(house)
    house.manager.put("MODEL_KEY", NEW)
    reread(house, versions)
    for seconds in (0, 100):
        house.clock.now += seconds
        reread(house, versions)

    assert len(house.manager.batches) == 2


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_a_wrong_key_is_read_again_only_after_pauses_that_grow(chance):
    house = House(lambda: chance)
    house.read()
    tried = []
    for _ in range(200):
        before = len(house.manager.batches)
        for _ in range(5):
            reread(house, refused(house))
        tried += [house.clock.now] * (len(house.manager.batches) - before)
        house.clock.now += 1
        assert house.key == OLD

    pauses = [later - earlier for earlier, later in pairwise(tried)]
    spread = 0.5 + 0.5 * chance
    assert pauses[:6] == [pause * spread for pause in (2, 4, 8, 16, 32, 60)]
    # Its replacement begins a count of its own.
    house.manager.put("MODEL_KEY", NEW)
    house.clock.now += 60
    reread(house, refused(house))
    assert house.key == NEW
    before = len(house.manager.batches)
    reread(house, refused(house))
    assert len(house.manager.batches) == before + 1


def test_a_refresh_that_began_before_the_refusal_is_followed_by_a_read(house):
    house.read()
    versions = refused(house)
    house.clock.now += CACHE_SECONDS * 0.9
    answered = house.answers_late()

    async def run():
        await house.store.get_all(["MODEL_KEY"])
        await until(lambda: len(house.manager.batches) == 2)
        # Secrets Manager has told the old value, then comes the new one.
        house.manager.put("MODEL_KEY", NEW)
        waiting = asyncio.ensure_future(house.store.reread(versions))
        await asyncio.sleep(0)
        answered.set()
        await waiting
        return await house.store.get_all(["MODEL_KEY"])

    assert asyncio.run(run())["MODEL_KEY"].text == NEW
    assert len(house.manager.batches) == 3


def test_requests_wait_for_the_read_that_a_refusal_began_and_take_no_refused_key(house):
    house.read()
    versions = refused(house)
    house.manager.put("MODEL_KEY", NEW)
    house.manager.hold.clear()

    async def run():
        first = asyncio.ensure_future(house.store.reread(versions))
        await until(lambda: len(house.manager.batches) == 2)
        later = [asyncio.ensure_future(house.store.get_all(["MODEL_KEY"])) for _ in range(20)]
        await asyncio.sleep(0.02)
        took_the_refused = [one for one in later if one.done()]
        house.manager.hold.set()
        await first
        return took_the_refused, {one["MODEL_KEY"].text for one in await asyncio.gather(*later)}

    assert asyncio.run(run()) == ([], {NEW})
    assert len(house.manager.batches) == 2


def test_a_refusal_during_an_outage_leaves_the_key_in_hand(house):
    house.read()
    house.manager.down = OUT_OF_REACH

    reread(house, refused(house))

    assert house.key == OLD


def test_a_refusal_without_any_secret_reads_nothing(house):
    reread(house, {})

    assert house.manager.batches == []


def test_refusals_of_two_keys_do_not_hold_each_other_up(house):
    house.read("MODEL_KEY", "TEAM")
    versions = house.store.versions()
    reread(house, {"TEAM": versions["TEAM"]})
    house.manager.put("MODEL_KEY", NEW)

    reread(house, {"MODEL_KEY": versions["MODEL_KEY"]})

    assert house.key == NEW


# What is told


def test_versions_and_ages_are_told_and_no_values(house):
    house.read("MODEL_KEY", "TEAM")
    house.clock.now += 7

    assert house.store.ages() == {"MODEL_KEY": 7.0, "TEAM": 7.0}
    assert list(house.store.versions()) == ["MODEL_KEY", "TEAM"]
    assert "canary" not in f"{house.store.versions()}{house.store!r}{house.store._known!r}"


def test_a_value_shows_in_no_representation(house):
    value = SecretValue("canary-value", "1")

    assert "canary" not in f"{value!r} {value} {[value]} {house.store._known}"


def test_the_documentation_tells_the_times_that_there_are():
    text = " ".join((Path(__file__).parents[2] / "docs/security.md").read_text().split())
    policy = CachePolicy()

    for words in (
        f"at most {policy.ttl:g} s old",
        f"an error that we do not know | {policy.stale / 3600:g} h |",
        f"not ASCII | {policy.stale / 3600:g} h |",
        f"scheduled for deletion | {policy.revoked / 60:g} min |",
        f"up to {policy.patience:g} s if something in hand may serve",
        f"up to {policy.deadline:g} s if nothing may",
    ):
        assert words in text


def test_each_read_is_counted(house, emf):
    house.read("MODEL_KEY", optional=["TEAM"])
    house.manager.remove("TEAM")
    house.clock.now += CACHE_SECONDS
    house.read("MODEL_KEY", optional=["ABSENT"])

    told = emf()
    assert told.count(("SecretRefreshes", 1.0)) == 2


def test_a_missing_optional_secret_is_no_failure(house, emf):
    house.read("MODEL_KEY", optional=["ABSENT"])

    assert emf() == [("SecretRefreshes", 1.0)]


def test_what_a_library_raises_is_told_by_its_class_only(house, caplog):
    house.read()
    house.manager.down = ClientError({"Error": {"Code": "Odd", "Message": f"canary {OLD}"}}, "BatchGetSecretValue")
    house.clock.now += CACHE_SECONDS

    house.read()

    assert "(Odd)" in caplog.text
    assert "canary" not in caplog.text
