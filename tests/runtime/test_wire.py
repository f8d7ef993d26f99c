"""The request that arrives at an OpenAI-compatible endpoint."""

from __future__ import annotations

import logging

import pytest

from tests.runtime.conftest import KEY
from tests.runtime.handler import MODEL_ID
from tests.support.openai_server import OpenAIServer, Reply


def test_path_key_and_headers_are_those_of_the_blueprint(serve, endpoint):
    handler = serve(
        base_url=f"{endpoint.base_url.removesuffix('/v1')}/team/proxy/v1",
        extra_headers_env={"X-Team": "TEAM", "X-Second": "SECOND"},
    )

    handler.ask()

    (request,) = endpoint.requests
    assert (request.method, request.path) == ("POST", "/team/proxy/v1/chat/completions")
    assert request.header("authorization") == f"Bearer {KEY}"
    assert request.header("x-team") == "canary-team-9f3c"
    assert request.header("x-second") == "canary-second-77aa"


@pytest.mark.parametrize(
    "model_id", ["claude-x", "anthropic/claude-sonnet-4-5", "my-org/my-model", "openai/gpt-5:free"]
)
def test_model_id_arrives_unchanged(serve, endpoint, model_id):
    serve(model_id=model_id).ask()

    assert endpoint.requests[0].body["model"] == model_id


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_parameters_arrive_and_usage_is_asked_for(handler, endpoint, accept):
    handler.invoke({"prompt": "Hello"}, accept=accept)

    body = endpoint.requests[0].body
    assert (body["temperature"], body["max_tokens"]) == (0.25, 321)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert not body.get("tools")


def test_no_authorization_is_sent_without_a_key(serve, endpoint, secrets_manager):
    serve(api_key_env=None).ask()

    assert endpoint.requests[0].header("authorization") is None
    assert secrets_manager.calls == []


@pytest.mark.parametrize("client", ["openai", "litellm"])
def test_next_call_of_the_model_comes_over_the_same_connection(serve, endpoint, client):
    handler = serve(client=client)

    for _ in range(3):
        handler.ask()

    assert len({request.connection for request in endpoint.requests}) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(serve, endpoint, status):
    handler = serve(extra_headers_env={"X-Team": "TEAM"})
    with OpenAIServer() as elsewhere:
        endpoint.script(MODEL_ID, Reply(status=status, headers={"Location": f"{elsewhere.base_url}/chat/completions"}))

        answer = handler.invoke({"prompt": "Hello"})

        assert elsewhere.requests == elsewhere.strays == []
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "model_refused")
    assert "redirect" in answer.json()["error"]["message"]


def test_whitespace_around_a_secret_is_trimmed(serve, endpoint, secrets_manager):
    secrets_manager.put("MODEL_KEY", f" {KEY}\r\n")
    secrets_manager.put("TEAM", "tides\n")

    serve(extra_headers_env={"X-Team": "TEAM"}).ask()

    assert endpoint.requests[0].header("authorization") == f"Bearer {KEY}"
    assert endpoint.requests[0].header("x-team") == "tides"


def test_key_that_is_empty_is_refused_by_the_secrets_name(serve, endpoint, secrets_manager):
    secrets_manager.put("MODEL_KEY", " \n")

    error = serve().invoke({"prompt": "Hello"}).json()["error"]

    assert error["type"] == "secret_unavailable"
    assert "strandline/test/MODEL_KEY is empty" in error["message"]
    assert endpoint.requests == []


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_header_without_a_value_is_left_out_and_named_in_the_log(serve, endpoint, secrets_manager, caplog, value):
    if value is not None:
        secrets_manager.put("SPARE", value)
    caplog.set_level(logging.DEBUG, logger="agent_runtime")
    handler = serve(extra_headers_env={"X-Team": "TEAM", "X-Spare": "SPARE"})

    handler.ask()
    handler.ask()

    assert endpoint.requests[1].header("x-team")
    assert endpoint.requests[1].header("x-spare") is None
    assert "header=<X-Spare>, variable=<SPARE> | has no value" in caplog.text
    # Also what is absent is asked for once, not at each call.
    assert secrets_manager.calls.count("strandline/test/SPARE") == 1


def test_header_that_cannot_be_read_is_no_absent_one(serve, endpoint, secrets_manager):
    secrets_manager.refuse("TEAM", "AccessDeniedException")

    error = serve(extra_headers_env={"X-Team": "TEAM"}).invoke({"prompt": "Hello"}).json()["error"]

    assert error["type"] == "secret_unavailable"
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("sk-canary\nX-Injected: 1", "line break"),
        ("sk-canary\x00", "control character"),
        ("sk-canary-\u00fc", "outside ASCII"),
        ("\ufeffsk-canary", "outside ASCII"),
        (b"\x00\x01canary", "binary"),
    ],
)
@pytest.mark.parametrize("variable", ["MODEL_KEY", "TEAM"])
def test_value_that_cannot_be_sent_is_refused_by_the_secrets_name(
    serve, endpoint, secrets_manager, value, fault, variable
):
    secrets_manager.put(variable, value)

    answer = serve(extra_headers_env={"X-Team": "TEAM"}).invoke({"prompt": "Hello"})

    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (502, "secret_unavailable")
    assert f"strandline/test/{variable} " in error["message"]
    assert fault in error["message"]
    assert f"`strandline secrets set {variable} --env test`" in error["message"]
    assert "canary" not in answer.text
    assert endpoint.requests == []
