"""What a caller sees when something fails: a type, a sentence and an id, and never a secret."""

from __future__ import annotations

import json
import logging

import pytest

from agent_runtime.request_guard import MAXIMUM_BODY_BYTES, MAXIMUM_DEPTH
from agent_runtime.telemetry.logs import quiet_libraries
from tests.runtime.conftest import KEY
from tests.runtime.handler import MODEL_ID
from tests.support.openai_server import Reply

HEADER_CANARY = "canary-team-9f3c"
DEEP = MAXIMUM_DEPTH * b"["


def _error(response):
    error = response.json()["error"]
    assert set(error) == {"type", "message", "id"}
    return error


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"[1, 2]", "JSON object"),
        (b"null", "JSON object"),
        (b'"Hello"', "JSON object"),
        (b"7", "JSON object"),
        (b"{}", "needs one of content, input, messages, prompt"),
        (b'{"prompt": ""}', "not empty"),
        (b'{"prompt": " \\n "}', "not empty"),
        (b'{"prompt": null}', "it has none of them"),
        (b'{"prompt": ["Hello"]}', "prompt[0] must be a content block"),
        (b'{"prompt": {"text": "Hello"}}', "prompt must be a text or a list"),
        (b'{"prompt": NaN}', "prompt must be a text or a list"),
        (b'{"prompt": "Hello", "stream": "yes"}', "stream must be true or false"),
        (b'{"prompt": "\\ud83d"}', "surrogate"),
        (b'{"prompt": "' + 1_000_001 * b"x" + b'"}', "longer than"),
        (b"", "not JSON"),
        (b'{"prompt": "Hello"', "not JSON"),
        (b'{"prompt": "\xff\xfe"}', "not UTF-8"),
        (200_000 * b"[", "too deep"),
        (200_000 * b'{"a":', "too deep"),
        (DEEP + DEEP.replace(b"[", b"]"), "JSON object"),
        (b"[" + DEEP + b"1" + DEEP.replace(b"[", b"]") + b"]", f"deeper than {MAXIMUM_DEPTH}"),
        (b'{"prompt": "x", "n": ' + 5000 * b"1" + b"}", "too long a number"),
    ],
    ids=lambda value: value[:30].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_bad_input_is_a_400_with_its_reason(handler, endpoint, payload, reason):
    response = handler.invoke(payload, accept="text/event-stream")

    assert (response.status_code, _error(response)["type"]) == (400, "bad_request")
    assert reason in _error(response)["message"]
    assert endpoint.requests == []


@pytest.mark.parametrize("chunked", [False, True])
def test_oversized_body_is_a_413(handler, chunked):
    pieces = [b'{"prompt": "', *(MAXIMUM_BODY_BYTES // 1024) * [1024 * b"x"], b'"}']

    response = handler.client.post("/invocations", content=iter(pieces) if chunked else b"".join(pieces))

    assert (response.status_code, _error(response)["type"]) == (413, "payload_too_large")
    assert handler.ask()["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(status=400, error="max_tokens is too large"), "model_refused", "400: max_tokens is too large."),
        (Reply(status=404, error="no such model"), "model_refused", "404: no such model."),
        (Reply(status=401), "model_key_refused", "strandline/test/MODEL_KEY"),
        (Reply(status=403), "model_key_refused", "strandline/test/MODEL_KEY"),
        (Reply(status=402), "model_refused", "402"),
        (Reply(status=429, headers={"Retry-After": "0"}), "model_throttled", "later"),
        (Reply(status=500, headers={"Retry-After": "0"}), "model_refused", "500"),
        (Reply(status=503, headers={"Retry-After": "0"}), "model_refused", "503"),
        (Reply(cut_after=0), "model_unreachable", "reached"),
        (Reply(cut_after=3), "model_answer_broken", "broke its answer off"),
        (Reply(choices=False), "model_answer_broken", "broke its answer off"),
        (Reply(raw=b""), "model_answer_broken", "broke its answer off"),
        (Reply(raw=b"<html>502</html>", headers={"Content-Type": "text/html"}), "model_answer_broken", "broke"),
        (Reply(raw=b'data: {"id": "1", "choices": [{"de\n\n'), "model_answer_broken", "no chat completion"),
        (Reply(raw=b'data: {"error": {"message": "canary", "code": "500"}}\n\n'), "model_answer_broken", "error"),
        (Reply(raw=b'data: {"error": {"message": "canary", "code": "429"}}\n\n'), "model_throttled", "later"),
        (Reply(text=""), "no_answer", "end_turn"),
    ],
)
def test_endpoints_fault_is_a_502_of_its_own_type(handler, endpoint, reply, kind, words):
    endpoint.script(MODEL_ID, reply)

    response = handler.invoke({"prompt": "Hello"})

    assert (response.status_code, _error(response)["type"]) == (502, kind)
    assert words in _error(response)["message"]
    assert "canary" not in response.text
    endpoint.script(MODEL_ID, Reply())
    assert handler.ask()["stop_reason"] == "end_turn"


def _limit(kind, **members):
    error = {"message": "canary", "type": kind, "param": None, "code": kind, **members}
    return json.dumps({"error": error}).encode()


OWNER = {"owner": {"kind": "key", "name": "hello"}, "resets_at": "2030-01-01T00:00:00Z"}
NO_RETRY = {"x-should-retry": "false"}


@pytest.mark.parametrize("client", ["auto", "litellm"])
@pytest.mark.parametrize(
    ("kind", "told", "words"),
    [
        (
            "budget_exceeded",
            "model_budget_exceeded",
            "The budget of the key hello is spent, and resets at 2030-01-01T00",
        ),
        (
            "rate_limit_exceeded",
            "model_throttled",
            "The limit of the key hello is reached, and resets at 2030-01-01T00",
        ),
    ],
)
def test_limit_at_the_gateway_is_told_with_its_owner_and_reset_and_not_asked_again(
    serve, endpoint, client, kind, told, words
):
    endpoint.script(MODEL_ID, Reply(status=429, raw=_limit(kind, **OWNER), headers=NO_RETRY))

    error = _error(serve(client=client).invoke({"prompt": "Hello"}))

    assert error["type"] == told
    assert words in error["message"]
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"owner": {"kind": "key", "name": KEY}, "resets_at": "canary"},
        {"owner": {"kind": "key canary", "name": "hello"}, "resets_at": 7},
        {"owner": "canary", "resets_at": {"canary": 1}},
    ],
)
@pytest.mark.parametrize("status", [422, 429])
def test_spent_budget_is_told_without_the_endpoints_own_words(handler, endpoint, status, members):
    endpoint.script(MODEL_ID, Reply(status=status, raw=_limit("budget_exceeded", **members), headers=NO_RETRY))

    error = _error(handler.invoke({"prompt": "Hello"}))

    assert error["type"] == "model_budget_exceeded"
    assert error["message"] == "The budget of the key is spent: raise it, or wait."


def test_wrong_key_at_a_litellm_proxy_without_database_is_told_as_such(handler, endpoint):
    endpoint.accept_only("sk-other", refuse_as_litellm=True)

    error = _error(handler.invoke({"prompt": "Hello"}))

    assert error["type"] == "model_key_refused"
    assert "strandline/test/MODEL_KEY" in error["message"]


def test_endpoint_that_wants_a_key_when_there_is_none_is_told(serve, endpoint):
    endpoint.accept_only("sk-other")

    assert "api_key_env" in _error(serve(api_key_env=None).invoke({"prompt": "Hello"}))["message"]


def test_context_overflow_is_the_callers_400(handler, endpoint):
    error = {"message": "This model's maximum context length is 10", "code": "context_length_exceeded"}
    endpoint.script(MODEL_ID, Reply(status=400, raw=json.dumps({"error": error}).encode()))

    response = handler.invoke({"prompt": "Hello"})

    assert (response.status_code, _error(response)["type"]) == (400, "context_overflow")


@pytest.mark.parametrize("pieces", [0, 3])
def test_endpoint_that_falls_silent_is_given_up(serve, endpoint, pieces):
    handler = serve(timeout=0.3)
    endpoint.script(MODEL_ID, Reply(stop_after=pieces))

    response = handler.invoke({"prompt": "Hello"})

    assert (response.status_code, _error(response)["type"]) == (502, "model_timeout")
    assert endpoint.requests[0].gone.wait(20)


def test_endpoint_that_refuses_connections_is_unreachable(serve):
    response = serve(base_url="http://127.0.0.1:9/v1").invoke({"prompt": "Hello"})

    assert (response.status_code, _error(response)["type"]) == (502, "model_unreachable")


def test_throttling_is_retried_by_one_layer_only(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(status=429, headers={"Retry-After": "0"}))

    handler.invoke({"prompt": "Hello"})

    assert len(endpoint.requests) == 3


def test_refused_key_is_not_retried(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(status=401))

    handler.invoke({"prompt": "Hello"})

    assert len(endpoint.requests) == 1


def test_failure_in_mid_stream_is_a_typed_event_and_the_last(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(text="High water at six.", cut_after=4))

    events = handler.ask_streaming()

    assert "contentBlockDelta" in str(events[:-1])
    assert events[-1]["error"]["type"] == "model_answer_broken"
    assert set(events[-1]["error"]) == {"type", "message", "id"}


@pytest.mark.parametrize(
    ("accept", "status"), [("application/json, text/event-stream", 502), ("*/*", 502), ("text/event-stream", 200)]
)
def test_failure_before_the_first_event_has_its_status_if_the_caller_takes_json(handler, endpoint, accept, status):
    endpoint.script(MODEL_ID, Reply(status=404))

    response = handler.invoke({"prompt": "Hello", "stream": True}, accept=accept)

    assert response.status_code == status
    assert '"type":"model_refused"' in response.text


def test_failure_has_an_id_that_is_also_in_the_log(handler, endpoint, caplog):
    endpoint.script(MODEL_ID, Reply(status=404))

    error = _error(handler.invoke({"prompt": "Hello"}))

    lines = [record.getMessage() for record in caplog.records if error["id"] in record.getMessage()]
    assert len(lines) == 1
    assert "failure=<model_refused>" in lines[0]


def test_our_own_fault_is_a_500_without_its_text(handler, endpoint, caplog, monkeypatch):
    def broken():
        raise RuntimeError(KEY)

    monkeypatch.setattr(handler.model_client.clients, "lease", broken)

    response = handler.invoke({"prompt": "Hello"})

    assert (response.status_code, _error(response)["type"]) == (500, "internal_error")
    assert KEY not in response.text
    assert KEY not in caplog.text
    assert "openai_client.py" in caplog.text


LEAKS = {
    "success": Reply(),
    "quoted-401": Reply(status=401, error=f"Incorrect API key provided: {KEY}."),
    "quoted-400": Reply(status=400, error=f"Bad header {HEADER_CANARY}, key {KEY}"),
    "quoted-404": Reply(status=404, error=f"No model for {HEADER_CANARY}"),
    "quoted-422": Reply(status=422, error=f"Bearer {KEY}"),
    "quoted-429": Reply(status=429, error=f"Rate of {KEY}", headers={"Retry-After": "0"}),
    "quoted-500": Reply(status=500, error=f"Traceback: {KEY} {HEADER_CANARY}", headers={"Retry-After": "0"}),
    "quoted-overflow": Reply(status=400, error=f"maximum context length exceeded by {KEY}"),
    "quoted-in-stream": Reply(raw=f'data: {{"error": {{"message": "{KEY}"}}}}\n\n'.encode()),
    "quoted-in-garbage": Reply(raw=f'data: {{"{KEY}" {HEADER_CANARY}\n\n'.encode()),
    "redirect": Reply(status=307, headers={"Location": f"http://127.0.0.1:9/{KEY}"}),
    "cut": Reply(cut_after=3),
    "cut-at-once": Reply(cut_after=0),
}


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("case", LEAKS)
def test_no_secret_in_answers_or_logs_even_at_debug(serve, endpoint, caplog, capfd, case, accept):
    quiet_libraries()
    caplog.set_level(logging.DEBUG)
    handler = serve(extra_headers_env={"X-Team": "TEAM"})
    endpoint.script(MODEL_ID, LEAKS[case])

    response = handler.invoke({"prompt": "Hello"}, accept=accept)

    assert endpoint.requests[0].key == KEY
    printed = capfd.readouterr()
    seen = f"{response.text} {dict(response.headers)} {caplog.text} {printed.out} {printed.err}"
    assert KEY not in seen
    assert HEADER_CANARY not in seen


def test_debug_of_the_libraries_would_have_told_the_key(serve, endpoint, caplog):
    """The test above can fail: without the quiet, the same request puts the key into the log."""
    endpoint.script(MODEL_ID, LEAKS["redirect"])
    library = logging.getLogger("httpcore")
    before = library.level
    caplog.set_level(logging.DEBUG)
    try:
        for logger in (library, logging.getLogger("httpcore.http11")):
            logger.setLevel(logging.DEBUG)
        serve().invoke({"prompt": "Hello"})
    finally:
        library.setLevel(before)
        logging.getLogger("httpcore.http11").setLevel(logging.NOTSET)

    assert KEY in caplog.text
