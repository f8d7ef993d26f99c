"""AgentCore's contract: `/ping`, and `/invocations` with JSON or a stream of Converse events."""

from __future__ import annotations

import time

import pytest

from tests.runtime.handler import MODEL_ID, PROMPT, SESSION, events_of, text_of
from tests.support.openai_server import Reply, ToolCall


def test_ping_is_healthy(handler):
    answer = handler.client.get("/ping")

    assert (answer.status_code, answer.json()["status"]) == (200, "Healthy")


def test_json_answer_has_the_shape_that_clients_parse(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(text="High water at six.", model="answered-model", cost=0.002))

    answer = handler.ask("When is high water?")

    latency = answer.pop("latency_ms")
    assert latency > 0
    assert answer == {
        "type": "done",
        "v": 1,
        "result": {"role": "assistant", "content": [{"text": "High water at six."}]},
        "stop_reason": "end_turn",
        "structured": None,
        "schema": None,
        "agent": "tide",
        "version": "1.2.3",
        "bundle": "2" * 64,
        "session_id": SESSION,
        "model": {
            **{"requested": MODEL_ID, "answered": "answered-model", "all_answered": ["answered-model"]},
            **{"fallback": None, "calls": 1, "attempts": 1},
        },
        "usage": {
            **{"input_tokens": 11, "output_tokens": 7, "total_tokens": 18},
            **{"cache_read_tokens": None, "cache_write_tokens": None},
        },
        "cost_usd": 0.002,
        "cost_source": "response_body",
        "gateway": None,
        "warnings": [],
    }


def test_stream_is_converse_events_and_the_answer_last(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(text="High water at six."))

    events = handler.ask_streaming()

    kinds = [next(iter(event["event"])) for event in events[:-1]]
    assert (kinds[0], kinds[-2:]) == ("messageStart", ["messageStop", "metadata"])
    assert kinds.count("contentBlockDelta") == 4
    assert text_of(events) == "High water at six."
    assert events[-1]["result"]["content"] == [{"text": "High water at six."}]


@pytest.mark.parametrize(
    ("payload", "accept", "streamed"),
    [
        ({}, "application/json", False),
        ({}, "*/*", False),
        ({}, "application/json, text/event-stream", True),
        ({"stream": True}, "application/json", True),
        ({"stream": False}, "text/event-stream", False),
    ],
)
def test_payload_decides_on_the_stream_before_the_accept_header(handler, payload, accept, streamed):
    answer = handler.invoke({"prompt": "Hello"} | payload, accept=accept)

    assert answer.headers["content-type"].startswith("text/event-stream") is streamed


def test_system_prompt_and_question_reach_the_model(handler, endpoint):
    handler.ask("When is high water?")

    roles = [(message["role"], message["content"]) for message in endpoint.requests[0].body["messages"]]
    assert roles[0] == ("system", [{"type": "text", "text": PROMPT}])
    assert roles[1][0] == "user"
    assert "When is high water?" in str(roles[1][1])


def test_answer_that_is_cut_at_max_tokens_is_an_answer(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(text="High water", finish_reason="length"), Reply(text="at six."))

    first, second = handler.ask("When?"), handler.ask("Go on.")

    assert first["result"]["content"] == [{"text": "High water"}]
    assert first["stop_reason"] == "max_tokens"
    assert first["usage"]["total_tokens"] == 18
    assert second["result"]["content"] == [{"text": "at six."}]
    assert "High water" in str(endpoint.requests[1].body["messages"])


def test_model_that_always_calls_a_tool_is_stopped_after_max_iterations(serve, endpoint):
    handler = serve(runtime={"max_iterations": 3})
    endpoint.script(MODEL_ID, Reply(text="", tool_calls=(ToolCall("lookup", {"word": "tide"}),)))

    answer = handler.ask()

    assert len(endpoint.requests) == 3
    assert (answer["stop_reason"], answer["result"]["content"]) == ("max_iterations", [])
    assert answer["usage"]["total_tokens"] == 3 * 18


def test_agent_is_stopped_after_max_execution_time(serve, endpoint):
    handler = serve(runtime={"max_execution_time": 1})
    endpoint.script(MODEL_ID, Reply(text="High water comes late", stop_after=3), Reply(text="Six."))

    started = time.monotonic()
    answer, after = handler.ask("When?"), handler.ask("And now?")

    assert time.monotonic() - started < 10
    assert (answer["stop_reason"], answer["result"]["content"]) == ("max_execution_time", [{"text": "High water"}])
    assert (after["stop_reason"], after["result"]["content"]) == ("end_turn", [{"text": "Six."}])
    # What was stopped is no part of the conversation: it would go on after half a sentence.
    assert "When?" not in str(endpoint.requests[1].body["messages"])
    assert endpoint.requests[0].gone.wait(10)


def test_time_is_limited_in_a_stream_too_and_over_all_calls_together(serve, endpoint):
    handler = serve(runtime={"max_execution_time": 1, "max_iterations": 100})
    endpoint.script(MODEL_ID, Reply(text="", tool_calls=(ToolCall("lookup", {"word": "tide"}),), delay=0.2))

    last = handler.ask_streaming()[-1]

    assert last["stop_reason"] == "max_execution_time"
    assert 1 < len(endpoint.requests) < 8


def test_reasoning_and_odd_characters_are_valid_json(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(text="Fl\u00f3d \ud83d", reasoning="The moon \u263d"))

    answer, events = handler.ask(), handler.ask_streaming(session=SESSION[::-1])

    assert [next(iter(block)) for block in answer["result"]["content"]] == ["reasoningContent", "text"]
    assert events[-1]["result"] == answer["result"]


def test_usage_cost_and_model_are_null_where_nobody_told_them(handler, endpoint):
    endpoint.script(MODEL_ID, Reply(usage=False, model=""))

    answer = handler.ask()

    assert set(answer["usage"].values()) == {None}
    assert answer["cost_usd"] is None
    assert answer["model"]["answered"] is None


def test_litellm_headers_name_the_deployment_and_the_cost(handler, endpoint):
    headers = {"x-litellm-model-name": "openai/gpt-real", "x-litellm-response-cost": "0.5"}
    endpoint.script(MODEL_ID, Reply(headers=headers), Reply(headers=headers, cost=0.0), Reply(headers=headers))

    told = [handler.ask() for _ in range(3)]

    assert {answer["model"]["answered"] for answer in told} == {"openai/gpt-real"}
    assert [answer["cost_usd"] for answer in told] == [0.5, 0.0, 0.5]


def test_costs_of_all_calls_of_one_invocation_add_up(handler, endpoint):
    tool = Reply(text="", tool_calls=(ToolCall("lookup"),), cost=0.25)
    endpoint.script(MODEL_ID, tool, Reply(text="Done", cost=0.5))

    answer = handler.ask()

    assert (answer["cost_usd"], answer["usage"]["total_tokens"]) == (0.75, 36)


def test_session_id_is_made_when_the_caller_sends_none(handler):
    answers = [handler.client.post("/invocations", json={"prompt": "Hello"}).json() for _ in range(2)]

    assert len({answer["session_id"] for answer in answers}) == 2
    assert events_of(handler.invoke({"prompt": "x"}, accept="text/event-stream"))[-1]["session_id"] == SESSION
