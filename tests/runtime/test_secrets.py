"""Secrets are read when a request needs them, once, and as fresh as promised."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from agent_runtime.secret_store import CACHE_SECONDS, STALE_SECONDS
from tests.runtime.conftest import KEY
from tests.runtime.handler import MODEL_ID, SESSION, text_of
from tests.support.openai_server import Reply


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


def test_a_rotation_in_the_midst_of_streams_drops_nothing(handler, endpoint, secrets_manager, clock):
    release = threading.Event()
    endpoint.script(MODEL_ID, *[Reply(text="Old and whole", stop_after=2, until=release)] * 12, Reply(text="New"))
    with ThreadPoolExecutor(12) as pool:
        streams = [pool.submit(handler.ask_streaming, session=f"{number:040}") for number in range(12)]
        endpoint.wait_for_requests(12)
        # The old key is dead at the provider before the new one is in Secrets Manager, and the streams go on.
        endpoint.accept_only("sk-new")
        secrets_manager.put("MODEL_KEY", "sk-new")
        after = [handler.ask_streaming(session=f"{number:050}") for number in range(3)]
        release.set()
        during = [stream.result() for stream in streams]

    assert [text_of(events) for events in during] == ["Old and whole"] * 12
    assert [text_of(events) for events in after] == ["New"] * 3
    assert [events[-1]["stop_reason"] for events in during + after] == ["end_turn"] * 15
    # One was refused once; its read showed the new key to all.
    assert endpoint.count_by_key() == {KEY: 13, "sk-new": 3}
    assert len(secrets_manager.batches) == 2
    assert (
        handler.secrets.versions()["MODEL_KEY"]
        == handler.model_client.clients._current.credentials.versions["MODEL_KEY"]
    )


def test_a_key_revoked_under_load_costs_one_read_and_no_request(handler, endpoint, secrets_manager):
    handler.ask()
    endpoint.accept_only("sk-new")
    secrets_manager.put("MODEL_KEY", "sk-new")

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda number: handler.ask(session=f"{number:040}"), range(100)))

    assert {answer["stop_reason"] for answer in answers} == {"end_turn"}
    assert len(secrets_manager.batches) == 2
    # Only those that were sent before the first refusal came back; each of them once.
    refused = endpoint.count_by_key()[KEY] - 1
    assert endpoint.count_by_key()["sk-new"] == 100
    assert 1 <= refused <= 32


def test_one_request_after_another_meets_a_revoked_key_once(handler, endpoint, secrets_manager):
    handler.ask()
    endpoint.accept_only("sk-new")
    secrets_manager.put("MODEL_KEY", "sk-new")

    for _ in range(5):
        handler.ask()

    assert endpoint.count_by_key() == {KEY: 2, "sk-new": 5}


def test_a_wrong_new_key_makes_no_storm_and_is_told_by_its_secret(handler, endpoint, secrets_manager, clock):
    handler.ask()
    endpoint.accept_only("sk-right")
    secrets_manager.put("MODEL_KEY", "sk-wrong")

    told = [handler.invoke({"prompt": "Hello"}).json()["error"] for _ in range(10)]

    assert {error["type"] for error in told} == {"model_key_refused"}
    assert all("strandline/test/MODEL_KEY" in error["message"] for error in told)
    assert "sk-" not in str(told)
    # The old one, the new one, and then the new one for each request; nobody asks the provider twice with one key.
    assert endpoint.count_by_key() == {KEY: 2, "sk-wrong": 10}
    # The first read, the one that brought the wrong key, and one that asked whether there is yet another.
    assert len(secrets_manager.batches) == 3

    secrets_manager.put("MODEL_KEY", "sk-right")
    clock.now += 60
    handler.ask()


def test_a_session_works_on_while_secrets_manager_is_out_and_meets_the_bound(handler, secrets_manager, clock, endpoint):
    handler.ask()
    secrets_manager.down = EndpointConnectionError(endpoint_url="https://secretsmanager.example")
    for age in (CACHE_SECONDS, 3600, STALE_SECONDS - 1):
        clock.now = 1000 + age
        handler.ask()
    clock.now = 1000 + STALE_SECONDS

    refused = handler.invoke({"prompt": "Hello"})
    secrets_manager.down = None
    after = handler.ask()

    assert refused.json()["error"]["type"] == "secret_unavailable"
    assert after["stop_reason"] == "end_turn"
    # The system prompt, the four prompts with their answers, and this one: the refused one left no trace.
    assert len(endpoint.requests[-1].body["messages"]) == 1 + 2 * 4 + 1


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
        open_while_in_use = not old.is_closed
        release.set()
        in_flight.result()
    handler.ask()

    assert open_while_in_use
    assert old.is_closed
    assert not handler.model_client.clients._current.client.is_closed


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
