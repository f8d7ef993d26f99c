"""What `strandline invoke` sends to an agent of each protocol, and how it reads the answers, faults too."""

from __future__ import annotations

import pytest

from agent_runtime.protocols import answers
from stacks.custom_resources.dialects import ANSWER, DIALECTS, ERROR

assert (ANSWER, ERROR) == (answers.ANSWER, answers.ERROR)

FAILURE = {"type": "model_throttled", "message": "Later.", "id": "id-1"}
FACTS = {"agent": "tide", "usage": {"total_tokens": 3}}


def read(protocol, *messages):
    return list(DIALECTS[protocol].read(iter(messages)))


def piece(text):
    return {"event": {"contentBlockDelta": {"delta": {"text": text}}}}


def test_http_asks_as_ever_and_reads_events_as_they_are():
    question = DIALECTS["HTTP"].ask("tide", "Hello", "s" * 40)
    assert (question.payload, question.accept, question.parameters) == ({"prompt": "Hello"}, "text/event-stream", {})
    assert read("HTTP", {"result": {}}) == [{"result": {}}]


def test_mcp_calls_the_tool_that_is_the_agent():
    question = DIALECTS["MCP"].ask("tide", "Hello", "s" * 40)
    assert question.payload["params"] == {"name": "tide", "arguments": {"prompt": "Hello"}}
    assert question.parameters["mcpSessionId"] == "s" * 40


def test_mcp_result_is_text_and_facts():
    result = {
        "content": [{"type": "text", "text": "High."}],
        "structuredContent": {"at": "noon"},
        "_meta": {"strandline/answer": FACTS},
    }
    progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
    end = {"result": {}, "structured": {"at": "noon"}, **FACTS}
    assert read("MCP", progress, {"id": 1, "result": result}) == [piece("High."), end]


def test_mcp_result_that_is_an_error_is_a_failure():
    ours = {"isError": True, "content": [], "_meta": {"strandline/error": FAILURE}}
    anothers = {"isError": True, "content": [{"type": "text", "text": "No."}]}
    assert read("MCP", {"result": ours}) == [{"error": FAILURE}]
    assert read("MCP", {"result": anothers}) == [{"error": {"message": "No."}}]


def test_a2a_goes_on_with_a_context_that_is_the_session():
    question = DIALECTS["A2A"].ask("tide", "Hello", "s" * 40)
    message = question.payload["params"]["message"]
    assert (question.payload["method"], message["contextId"]) == ("message/stream", "s" * 40)
    assert message["parts"] == [{"kind": "text", "text": "Hello"}]


def test_a2a_chunks_are_pieces_and_the_status_the_end():
    chunk = {"kind": "artifact-update", "artifact": {"parts": [{"kind": "text", "text": "Hi"}]}}
    data = {"kind": "artifact-update", "artifact": {"parts": [{"kind": "data", "data": {"at": "noon"}}]}}
    working = {"kind": "status-update", "status": {"state": "working"}, "final": False}
    done = {
        "kind": "status-update",
        "status": {"state": "completed"},
        "final": True,
        "metadata": {"strandline/answer": FACTS},
    }
    events = read("A2A", *({"result": event} for event in (working, chunk, data, done)))
    assert events == [piece("Hi"), {"result": {}, "structured": {"at": "noon"}, **FACTS}]


@pytest.mark.parametrize(
    ("metadata", "told"),
    [({"strandline/error": FAILURE}, FAILURE), ({}, {"message": "The task is failed."})],
    ids=["ours", "anothers"],
)
def test_a2a_task_that_failed_is_a_failure(metadata, told):
    failed = {"kind": "status-update", "status": {"state": "failed"}, "final": True, "metadata": metadata}
    assert read("A2A", {"result": failed}) == [{"error": told}]


@pytest.mark.parametrize("protocol", ["MCP", "A2A"])
@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"type": "bad_request", "id": "id-1"}, {"type": "bad_request", "id": "id-1"}),
        ("words", {"type": "JSON-RPC error -32602"}),
        (None, {"type": "JSON-RPC error -32602"}),
    ],
)
def test_error_of_json_rpc_is_a_failure(protocol, data, told):
    error = {"code": -32602, "message": "Wrong.", "data": data}
    assert read(protocol, {"error": error}) == [{"error": {**told, "message": "Wrong."}}]
