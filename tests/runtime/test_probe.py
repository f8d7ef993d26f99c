"""The probe: what a new version must be able to do before callers reach it, without a call of its model."""

from __future__ import annotations

from tests.runtime.conftest import KEY

PROBE = {"probe": True}


def test_the_probe_reads_every_secret_and_calls_no_model(serve, endpoint, secrets_manager):
    handler = serve(extra_headers_env={"X-Team": "TEAM"})

    answer = handler.invoke(PROBE)

    assert answer.status_code == 200
    told = answer.json()
    assert (told["type"], told["agent"], told["bundle"]) == ("probe", "tide", "2" * 64)
    assert set(told["secrets"]) == {"MODEL_KEY", "TEAM"}
    assert KEY not in answer.text
    assert "canary" not in answer.text
    assert endpoint.requests == []
    assert len(secrets_manager.calls) > 0


def test_a_missing_key_is_an_answer_that_names_the_secret(serve, endpoint):
    answer = serve(api_key_env="ABSENT").invoke(PROBE)

    # Of a status of 400 and more AgentCore would keep the body from the caller.
    assert answer.status_code == 200
    assert answer.json()["error"]["type"] == "secret_unavailable"
    assert "strandline/test/ABSENT" in answer.json()["error"]["message"]
    assert endpoint.requests == []


def test_a_header_without_a_value_is_left_out_of_requests_and_of_the_probe(serve):
    answer = serve(extra_headers_env={"X-Absent": "ABSENT"}).invoke(PROBE)

    assert answer.json()["type"] == "probe"


def test_whatever_is_more_than_the_probe_is_no_probe(handler):
    for payload in ({"probe": False}, {"probe": True, "stream": True}, {"probe": "true"}):
        assert handler.invoke(payload).status_code == 400
    assert handler.invoke({**PROBE, "prompt": "Hello"}).json()["type"] == "done"
