"""Whatever goes wrong at the model's endpoint or at Secrets Manager: the session survives, the next request works.

Each fault comes in the midst of a conversation. What comes after it finds the conversation as it was before.
"""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from agent_runtime.openai_client import MAXIMUM_ANSWER_BYTES
from agent_runtime.secret_store import CACHE_SECONDS, STALE_SECONDS
from tests.runtime.conftest import KEY
from tests.runtime.handler import MODEL_ID, text_of
from tests.support.openai_server import Reply
from tests.support.secrets_manager import service_error

MEGABYTE = 1024 * 1024
AT_ONCE = {"retry-after-ms": "1"}
LONG_WORDS = " ".join(MEGABYTE * letter for letter in "abcdefghij")

UPSTREAM = {
    "400": (Reply(status=400), "model_refused"),
    "401": (Reply(status=401), "model_key_refused"),
    "403": (Reply(status=403), "model_key_refused"),
    "404": (Reply(status=404), "model_refused"),
    "429 with Retry-After": (Reply(status=429, headers={"Retry-After": "3600"}), "model_throttled"),
    "429": (Reply(status=429, headers=AT_ONCE), "model_throttled"),
    "500": (Reply(status=500, headers=AT_ONCE), "model_refused"),
    "503": (Reply(status=503, headers=AT_ONCE), "model_refused"),
    "500 of 10 MB": (Reply(status=500, error=LONG_WORDS, headers=AT_ONCE), "model_refused"),
    "hang": (Reply(stop_after=0), "model_timeout"),
    "cut at once": (Reply(cut_after=0), "model_unreachable"),
    "empty body": (Reply(raw=b""), "model_answer_broken"),
    "malformed JSON": (Reply(raw=b'{"id": "1", "choices": [{"mess'), "model_answer_broken"),
    "malformed JSON of a stream": (Reply(raw=b'data: {"id": "1", "choices": [{"de\n\n'), "model_answer_broken"),
    "page of HTML": (Reply(raw=b"<html>502</html>", headers={"Content-Type": "text/html"}), "model_answer_broken"),
    "empty choices": (Reply(choices=False), "model_answer_broken"),
    "answer without an end": (Reply(text=MEGABYTE * "x", endless=True), "model_answer_broken"),
    "line without an end": (Reply(raw=b"data: " + 40 * MEGABYTE * b"x"), "model_answer_broken"),
}
IN_MID_STREAM = {
    "hang": (Reply(text="High water at six.", stop_after=3), "model_timeout"),
    "cut": (Reply(text="High water at six.", cut_after=3), "model_answer_broken"),
    "no end": (Reply(text="High water " + MEGABYTE * "x", endless=True), "model_answer_broken"),
}
ACCEPTS = ("application/json", "text/event-stream")


def _failed(handler, accept):
    """Asks, and gives the type of the failure."""
    response = handler.invoke({"prompt": "Failing"}, accept=accept)
    assert "Traceback" not in response.text
    assert KEY not in response.text
    if accept == ACCEPTS[0]:
        assert response.status_code == 502
        return response.json()["error"]["type"]
    assert response.headers["content-type"].startswith("text/event-stream")
    return response.text.rpartition('"error":{"type":"')[2].partition('"')[0]


def _assert_the_conversation_goes_on(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(text="After all"))

    answer = handler.ask("After")

    assert answer["result"]["content"] == [{"text": "After all"}]
    said = [message for message in endpoint.requests[-1].body["messages"] if message["role"] != "system"]
    assert [message["role"] for message in said] == ["user", "assistant", "user"]
    for message, text in zip(said, ("Before", "Hello from the local model.", "After"), strict=True):
        assert text in str(message["content"])


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("stream", [True, False], ids=["model streams", "model does not"])
@pytest.mark.parametrize("fault", UPSTREAM)
def test_session_survives_a_fault_of_the_models_endpoint(serve, endpoint, fault, stream, accept):
    reply, kind = UPSTREAM[fault]
    handler = serve(timeout=0.5 if fault == "hang" else 60.0, stream=stream)
    handler.ask("Before")
    endpoint.script(MODEL_ID, reply)

    assert _failed(handler, accept) == kind
    _assert_the_conversation_goes_on(handler, endpoint)


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("fault", IN_MID_STREAM)
def test_session_survives_a_fault_in_mid_stream(serve, endpoint, fault, accept):
    reply, kind = IN_MID_STREAM[fault]
    handler = serve(timeout=0.5 if fault == "hang" else 60.0)
    handler.ask("Before")
    endpoint.script(MODEL_ID, reply)

    assert _failed(handler, accept) == kind
    _assert_the_conversation_goes_on(handler, endpoint)


@pytest.mark.parametrize("stream", [True, False], ids=["model streams", "model does not"])
def test_endless_answer_is_left_when_it_is_longer_than_any_answer(serve, endpoint, stream):
    handler = serve(stream=stream)
    endpoint.script(MODEL_ID, Reply(text=MEGABYTE * "x", endless=True))

    error = handler.invoke({"prompt": "Hello"}).json()["error"]

    assert f"more than {MAXIMUM_ANSWER_BYTES // MEGABYTE} MiB" in error["message"]
    # Whoever reads on would find no end.
    assert endpoint.requests[0].gone.wait(20)


def test_endless_answer_that_comes_slowly_is_left_when_the_agents_time_is_up(serve, endpoint):
    handler = serve(runtime={"max_execution_time": 1})
    handler.ask("Before")
    endpoint.script(MODEL_ID, Reply(text="tide", endless=True, pause=0.05))

    answer = handler.ask("Failing")

    assert answer["stop_reason"] == "max_execution_time"
    assert answer["result"]["content"][0]["text"].startswith("tidetide")
    assert endpoint.requests[1].gone.wait(20)
    _assert_the_conversation_goes_on(handler, endpoint)


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("stream", [True, False], ids=["model streams", "model does not"])
def test_answer_of_10_mb_arrives_whole_and_stays_in_the_conversation(serve, endpoint, stream, accept):
    handler = serve(stream=stream)
    endpoint.script(MODEL_ID, Reply(text=LONG_WORDS), Reply(text="Short"))

    if accept == ACCEPTS[0]:
        text = handler.ask("Much?")["result"]["content"][0]["text"]
    else:
        text = text_of(handler.ask_streaming("Much?"))
    after = handler.ask("And now?")

    assert text == LONG_WORDS
    assert after["result"]["content"] == [{"text": "Short"}]
    assert LONG_WORDS in str(endpoint.requests[1].body["messages"][-2]["content"])


def test_retry_after_is_waited_for(serve, endpoint):
    endpoint.script(MODEL_ID, Reply(status=429, headers={"Retry-After": "1"}), Reply(text="At last"))

    answer = serve().ask()

    first, second = endpoint.requests
    assert answer["result"]["content"] == [{"text": "At last"}]
    assert second.arrived - first.arrived >= 1.0


def test_retry_after_beyond_the_deadline_is_told_at_once(serve, endpoint):
    endpoint.script(MODEL_ID, Reply(status=429, headers={"Retry-After": "40"}))

    response = serve(timeout=20.0).invoke({"prompt": "Hello"})

    # Not a timeout, after twenty seconds in which nothing could have come.
    assert response.json()["error"]["type"] == "model_throttled"
    assert len(endpoint.requests) == 1


SECRETS_FAULTS = {
    "throttled": lambda manager: manager.refuse("MODEL_KEY", "ThrottlingException"),
    "throttled as a whole": lambda manager: setattr(manager, "batch_fault", service_error("ThrottlingException")),
    "down": lambda manager: setattr(manager, "down", EndpointConnectionError(endpoint_url="https://sm.example")),
    "slow": lambda manager: setattr(manager, "down", ReadTimeoutError(endpoint_url="https://sm.example")),
    "empty": lambda manager: manager.put("MODEL_KEY", " \n"),
    "deleted": lambda manager: manager.remove("MODEL_KEY"),
    "to be deleted": lambda manager: manager.refuse("MODEL_KEY", "InvalidRequestException"),
}


def _mend(manager):
    manager.down = manager.batch_fault = None
    manager.faults.clear()
    manager.put("MODEL_KEY", "sk-mended")


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("fault", SECRETS_FAULTS)
def test_session_survives_a_fault_of_secrets_manager(handler, endpoint, secrets_manager, clock, fault, accept):
    handler.ask("Before")
    SECRETS_FAULTS[fault](secrets_manager)
    # So long that what is in hand may no longer stand in.
    clock.now += STALE_SECONDS

    assert _failed(handler, accept) == "secret_unavailable"
    _mend(secrets_manager)
    _assert_the_conversation_goes_on(handler, endpoint)
    assert [request.key for request in endpoint.requests] == [KEY, "sk-mended"]


@pytest.mark.parametrize("fault", SECRETS_FAULTS)
def test_fault_of_secrets_manager_is_not_seen_while_a_key_is_in_hand(handler, endpoint, secrets_manager, clock, fault):
    handler.ask("Before")
    SECRETS_FAULTS[fault](secrets_manager)
    clock.now += CACHE_SECONDS

    _assert_the_conversation_goes_on(handler, endpoint)

    assert [request.key for request in endpoint.requests] == [KEY, KEY]


@pytest.mark.parametrize("fault", SECRETS_FAULTS)
def test_session_that_begins_with_a_fault_of_secrets_manager_works_once_it_is_over(
    handler, endpoint, secrets_manager, fault
):
    SECRETS_FAULTS[fault](secrets_manager)

    assert _failed(handler, ACCEPTS[0]) == "secret_unavailable"
    assert endpoint.requests == []
    _mend(secrets_manager)
    handler.ask("Before")
    _assert_the_conversation_goes_on(handler, endpoint)
