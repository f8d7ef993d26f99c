"""Secrets are read when a request needs them, once, and as fresh as promised."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from agent_runtime.secret_reader import SecretError, SecretValue
from agent_runtime.secret_store import CACHE_SECONDS, SecretStore
from tests.runtime.conftest import KEY
from tests.runtime.handler import MODEL_ID, SESSION
from tests.support.openai_server import Reply


@pytest.fixture
def store(secrets_manager, clock):
    return SecretStore(
        prefix="strandline/test/", environment="test", client_factory=lambda: secrets_manager, clock=clock
    )


def test_nothing_is_read_before_the_first_request(handler, secrets_manager):
    handler.client.get("/ping")

    assert (handler.clients_made, secrets_manager.calls) == ([], [])
    handler.ask()
    assert secrets_manager.calls == ["strandline/test/MODEL_KEY"]


def test_concurrent_requests_share_one_read_and_one_client(handler, secrets_manager, endpoint):
    secrets_manager.hold.clear()
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(handler.ask, session=f"{number:040}") for number in range(16)]
        while not secrets_manager.calls:
            threading.Event().wait(0.01)
        secrets_manager.hold.set()

        assert {answer.result()["stop_reason"] for answer in answers} == {"end_turn"}
    assert secrets_manager.calls == ["strandline/test/MODEL_KEY"]
    assert len(handler.clients_made) == 1
    assert endpoint.count_by_key() == {KEY: 16}


def test_value_is_read_again_when_its_time_is_over(handler, secrets_manager, clock):
    handler.ask()
    clock.now += CACHE_SECONDS / 2
    handler.ask()
    assert len(secrets_manager.calls) == 1

    clock.now += CACHE_SECONDS / 2
    handler.ask()

    assert len(secrets_manager.calls) == 2


def test_reads_are_off_the_event_loop(handler, secrets_manager):
    secrets_manager.hold.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(handler.ask)
        while not secrets_manager.calls:
            threading.Event().wait(0.01)
        # The same loop answers bad requests while the read waits.
        refused = handler.invoke({"prompt": ""})
        secrets_manager.hold.set()
        answer.result()

    assert refused.status_code == 400
    assert all(name.startswith("secrets") for name in secrets_manager.threads)


def test_new_version_is_used_by_the_next_request_and_drops_none_in_flight(handler, endpoint, secrets_manager, clock):
    release = threading.Event()
    endpoint.script(MODEL_ID, Reply(text="Old and whole", stop_after=2, until=release), Reply(text="New"))
    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(handler.ask)
        endpoint.wait_for_requests(1)
        secrets_manager.put("MODEL_KEY", "sk-new")
        clock.now += CACHE_SECONDS

        after = handler.ask(session=SESSION[::-1])
        release.set()

        assert in_flight.result()["result"]["content"] == [{"text": "Old and whole"}]
    assert after["result"]["content"] == [{"text": "New"}]
    assert [request.key for request in endpoint.requests] == [KEY, "sk-new"]


def test_replaced_client_is_closed_when_its_last_request_ends(handler, endpoint, secrets_manager, clock):
    release = threading.Event()
    endpoint.script(MODEL_ID, Reply(stop_after=2, until=release), Reply())
    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(handler.ask)
        endpoint.wait_for_requests(1)
        old = handler.model_client.clients._current.client
        secrets_manager.put("MODEL_KEY", "sk-new")
        clock.now += CACHE_SECONDS
        handler.ask(session=SESSION[::-1])
        open_while_in_use = not old.is_closed()
        release.set()
        in_flight.result()
    handler.ask()

    assert open_while_in_use
    assert old.is_closed()
    assert not handler.model_client.clients._current.client.is_closed()


def test_unchanged_version_keeps_the_client(handler, clock):
    handler.ask()
    first = handler.model_client.clients._current.client
    clock.now += CACHE_SECONDS

    handler.ask()

    assert handler.model_client.clients._current.client is first


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        ("AccessDeniedException", None, ["role strandline-simulation-tide ", "grant secretsmanager:GetSecretValue"]),
        ("AccessDeniedException", "Access to KMS is not allowed", ["kms:Decrypt"]),
        ("ResourceNotFoundException", None, ["`strandline secrets set MODEL_KEY --env test`"]),
        ("DecryptionFailure", None, ["kms:Decrypt"]),
        ("InvalidRequestException", None, ["scheduled for deletion"]),
        ("ThrottlingException", None, ["try again later"]),
        ("InternalServiceError", "canary", ["see the secret"]),
    ],
)
def test_refusal_is_one_line_that_names_the_secret_and_the_mend(handler, secrets_manager, code, said, words):
    secrets_manager.refuse("MODEL_KEY", code, said)

    answer = handler.invoke({"prompt": "Hello"})

    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (502, "secret_unavailable")
    for word in ["strandline/test/MODEL_KEY", code, *words]:
        assert word in error["message"]
    assert "\n" not in error["message"]
    assert "canary" not in answer.text


@pytest.mark.parametrize(
    "fault", [EndpointConnectionError(endpoint_url="https://secretsmanager.example"), NoCredentialsError()]
)
def test_secrets_manager_out_of_reach_is_told(handler, secrets_manager, fault):
    secrets_manager.faults["strandline/test/MODEL_KEY"] = fault

    error = handler.invoke({"prompt": "Hello"}).json()["error"]

    assert error["message"].startswith("Secret strandline/test/MODEL_KEY cannot be read: ")
    assert type(fault).__name__ in error["message"]


def test_refused_read_is_tried_again_by_the_next_request(handler, secrets_manager, endpoint):
    secrets_manager.refuse("MODEL_KEY", "ThrottlingException")
    assert handler.invoke({"prompt": "Hello"}).status_code == 502
    assert endpoint.requests == []

    secrets_manager.faults.clear()

    assert handler.ask()["stop_reason"] == "end_turn"


def test_many_threads_with_loops_of_their_own_share_one_read(store, secrets_manager):
    together = threading.Barrier(32)

    def read():
        together.wait()
        return asyncio.run(store.get_all(["MODEL_KEY"]))["MODEL_KEY"]

    with ThreadPoolExecutor(32) as pool:
        values = [read.result() for read in [pool.submit(read) for _ in range(32)]]

    assert {value["MODEL_KEY"].text for value in values} == {KEY}
    assert len(secrets_manager.calls) == 1


def test_cancelled_request_leaves_the_read_to_the_others(store, secrets_manager):
    async def run():
        secrets_manager.hold.clear()
        first, second = (asyncio.ensure_future(store.get_all(["MODEL_KEY"])) for _ in range(2))
        while not secrets_manager.calls:
            await asyncio.sleep(0.01)
        first.cancel()
        secrets_manager.hold.set()
        return await second

    assert asyncio.run(run())["MODEL_KEY"].text == KEY
    assert len(secrets_manager.calls) == 1


def test_several_secrets_are_read_side_by_side_and_each_once(store, secrets_manager):
    values = asyncio.run(store.get_all(["MODEL_KEY", "TEAM", "MODEL_KEY"]))

    assert list(values) == ["MODEL_KEY", "TEAM"]
    assert sorted(secrets_manager.calls) == ["strandline/test/MODEL_KEY", "strandline/test/TEAM"]


def test_versions_in_use_are_told_and_no_values(store, secrets_manager):
    assert store.versions() == {}
    used = asyncio.run(store.get_all(["MODEL_KEY"]))["MODEL_KEY"]

    assert store.versions() == {"MODEL_KEY": used.version_id}


def test_value_shows_in_no_representation_and_no_error(store, secrets_manager):
    value = SecretValue("canary-value", "1")
    secrets_manager.put("MODEL_KEY", "canary\nvalue")

    with pytest.raises(SecretError) as refusal:
        asyncio.run(store.get_all(["MODEL_KEY"]))["MODEL_KEY"]

    assert "canary" not in f"{value!r} {value} {refusal.value} {refusal.value!r}"
