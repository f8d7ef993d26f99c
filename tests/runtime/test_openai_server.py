"""The local OpenAI-compatible server itself: what other tests rest on."""

from __future__ import annotations

import threading

import httpx
import openai
import pytest

from tests.support.openai_server import OpenAIServer, Reply, ToolCall

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def server():
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


def _ask(client, model="some-model", **more):
    return client.chat.completions.create(model=model, messages=HELLO, **more)


def _stream(client, model="some-model", **more):
    return _ask(client, model, stream=True, stream_options={"include_usage": True}, **more)


def test_request_is_recorded_and_answered(server, client):
    answer = _ask(client, temperature=0.5, extra_headers={"X-Team": "tides"})

    assert answer.choices[0].message.content == "Hello from the local model."
    assert answer.usage.total_tokens == 18
    (request,) = server.requests
    assert (request.path, request.body["temperature"], request.header("x-team")) == (
        "/v1/chat/completions",
        0.5,
        "tides",
    )
    assert server.count_by_key() == {"sk-test": 1}


def test_stream_ends_with_usage_and_cost(server, client):
    server.script("some-model", Reply(text="One two", cost=0.25, model="answered"))

    chunks = list(_stream(client))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "One two"
    assert chunks[-1].usage.cost == 0.25
    assert {chunk.model for chunk in chunks} == {"answered"}


def test_script_goes_on_with_its_last_reply(server, client):
    server.script("some-model", Reply(text="First"), Reply(text="Then"))

    texts = [_ask(client).choices[0].message.content for _ in range(3)]

    assert texts == ["First", "Then", "Then"]


def test_tool_calls_come_streamed_and_whole(server, client):
    server.script("some-model", Reply(text="", tool_calls=(ToolCall("lookup", {"word": "tide"}),)))

    assert _ask(client).choices[0].message.tool_calls[0].function.arguments == '{"word": "tide"}'
    deltas = [chunk.choices[0].delta.tool_calls for chunk in _stream(client) if chunk.choices]
    assert [delta[0].function.name for delta in deltas if delta] == ["lookup"]


@pytest.mark.parametrize("by", ["model", "header"])
def test_named_fault_is_answered(client, by):
    model, headers = ("openai/fault-429", {}) if by == "model" else ("some-model", {"x-reply": "fault-429"})

    with pytest.raises(openai.RateLimitError):
        _ask(client, model, extra_headers=headers)


def test_cut_stream_breaks_off(client):
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed"):
        list(_stream(client, "fault-cut"))


def test_malformed_body_and_empty_choices_are_sent_as_told(client):
    assert _ask(client, "fault-empty-choices").choices == []
    with pytest.raises(ValueError, match="Unterminated"):
        _ask(client, "fault-malformed")


def test_held_answer_waits_for_the_test(server, client):
    release = threading.Event()
    server.script("some-model", Reply(stop_after=2, until=release))
    stream = iter(_stream(client))
    next(stream), next(stream)

    release.set()

    assert len(list(stream)) > 1


def test_client_that_leaves_is_noticed(server, client):
    stream = _stream(client, "fault-hang-in-stream")
    next(iter(stream))

    stream.close()

    assert server.requests[0].gone.wait(10)


def test_other_keys_are_refused_and_quoted(server, client):
    server.accept_only("sk-other")

    with pytest.raises(openai.AuthenticationError, match="sk-test"):
        _ask(client)


def test_other_keys_are_refused_as_litellm_without_a_database_does(server, client):
    server.accept_only("sk-other", refuse_as_litellm=True)

    with pytest.raises(openai.BadRequestError, match="no_db_connection"):
        _ask(client)
