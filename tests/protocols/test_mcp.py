"""An agent as an MCP tool: the real client of the `mcp` package, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
import logging

import anyio
import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from agent_runtime.request_guard import MAXIMUM_BODY_BYTES
from tests.protocols.conftest import KEY, MASKING
from tests.runtime.handler import SESSION, SESSION_HEADER
from tests.support.equipped_handler import TEST_MODEL
from tests.support.openai_server import Reply, ToolCall

ERAS = ("legacy", "2026-07-28")
TIDES = {"place": "Cork", "depths": [1.5, 2]}


def using(agent, action, *, mode="legacy", headers=None):
    """Runs an action with a client that is connected to the agent."""

    async def run():
        async with (
            httpx2.AsyncClient(headers=headers or {}, timeout=30) as http,
            Client(streamable_http_client(f"{agent.url}/mcp", http_client=http), mode=mode) as client,
        ):
            return await action(client)

    return asyncio.run(run())


def ask(agent, prompt="Hello", **more):
    """Calls the tool and gives its result."""
    return using(agent, lambda client: client.call_tool("tide", {"prompt": prompt}), **more)


def texts(result):
    return [block.text for block in result.content]


@pytest.fixture
def agent(serve):
    return serve("MCP", description="Knows the tides.")


@pytest.mark.parametrize("mode", ERAS)
def test_agent_is_one_tool_with_the_blueprints_words(agent, mode):
    listed = using(agent, lambda client: client.list_tools(), mode=mode)

    (tool,) = listed.tools
    assert (tool.name, tool.title, tool.description) == ("tide", "Tide", "Knows the tides.")
    assert tool.input_schema["required"] == ["prompt"]
    assert tool.input_schema["properties"]["prompt"]["type"] == "string"
    assert tool.output_schema is None


@pytest.mark.parametrize("mode", ERAS)
def test_call_of_the_tool_is_an_invocation_of_the_agent(agent, endpoint, mode):
    endpoint.script(TEST_MODEL, Reply(text="High at noon.", cost=0.25))

    result = ask(agent, "When is high tide?", mode=mode)

    assert not result.is_error
    assert texts(result) == ["High at noon."]
    assert result.structured_content is None
    told = result.meta["strandline/answer"]
    assert (told["agent"], told["version"], told["stop_reason"]) == ("tide", "1.2.3", "end_turn")
    assert told["usage"]["total_tokens"] == 18
    assert told["cost_usd"] == 0.25
    system, user = endpoint.requests[0].body["messages"]
    assert system["role"] == "system"
    assert "When is high tide?" in json.dumps(user)


@pytest.mark.parametrize("mode", ERAS)
def test_answer_by_a_schema_is_structured_content_that_the_client_validates(serve, endpoint, analysis, mode):
    agent = serve("MCP", schemas={"analysis": analysis}, output_schema="analysis")
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(ToolCall("analysis", TIDES),)))

    async def listed_and_called(client):
        return await client.list_tools(), await client.call_tool("tide", {"prompt": "Cork?"})

    listed, result = using(agent, listed_and_called, mode=mode)

    schema = listed.tools[0].output_schema
    assert schema == {
        name: value for name, value in analysis.items() if name not in ("$schema", "title", "description")
    }
    assert result.structured_content == {**TIDES, "unit": "m"}
    assert json.loads(texts(result)[0]) == result.structured_content


def test_session_of_agentcore_is_the_conversation(agent, endpoint):
    ask(agent, "My name is Ada.", headers={SESSION_HEADER: SESSION})
    ask(agent, "What is my name?", headers={SESSION_HEADER: SESSION})
    ask(agent, "And mine?", headers={SESSION_HEADER: "other-" + SESSION})
    ask(agent, "I am Grace.", headers={"Mcp-Session-Id": SESSION + "-mcp"})
    ask(agent, "Who am I?", headers={"Mcp-Session-Id": SESSION + "-mcp"})

    said = [json.dumps(request.body["messages"]) for request in endpoint.requests]
    assert "Ada" in said[1]
    assert "Ada" not in said[2]
    assert "Grace" in said[4]


def test_mcp_session_goes_before_the_one_that_sdks_make_up(agent, endpoint):
    ask(agent, "My name is Ada.", headers={"Mcp-Session-Id": SESSION, SESSION_HEADER: "a" * 40})
    ask(agent, "What is my name?", headers={"Mcp-Session-Id": SESSION, SESSION_HEADER: "b" * 40})

    assert "Ada" in json.dumps(endpoint.requests[1].body["messages"])


def test_caller_without_a_session_has_no_memory(agent, endpoint):
    ask(agent, "My name is Ada.")
    ask(agent, "What is my name?")

    assert "Ada" not in json.dumps(endpoint.requests[1].body["messages"])


@pytest.mark.parametrize("mode", ERAS)
def test_trace_goes_on_to_the_model(agent, endpoint, mode):
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    ask(agent, headers={"traceparent": trace}, mode=mode)

    assert endpoint.requests[0].header("traceparent") == trace


def test_session_that_agentcore_would_not_send_is_refused(agent, endpoint):
    result = ask(agent, headers={SESSION_HEADER: "short"})

    assert result.is_error
    assert "33 to 256 characters" in texts(result)[0]
    assert endpoint.requests == []


@pytest.mark.parametrize("mode", ERAS)
def test_progress_tells_of_the_steps(serve, endpoint, tides, mode):
    agent = serve("MCP", tools=[{"python": tides}])
    endpoint.script(
        TEST_MODEL, Reply(text="", tool_calls=(ToolCall("tide_at", {"place": "Cork"}),)), Reply(text="High.")
    )
    told = []

    async def note(progress, total, message):
        told.append((progress, message))

    result = using(
        agent, lambda client: client.call_tool("tide", {"prompt": "Cork?"}, progress_callback=note), mode=mode
    )

    assert texts(result) == ["High."]
    assert told == [(1, "The model answers."), (2, "The agent uses tide_at."), (3, "The model answers.")]


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, 'needs "prompt"'),
        ({"prompt": " "}, "prompt must be a text that is not empty"),
        ({"prompt": 5}, 'needs "prompt"'),
        ({"prompt": "Hello", "stream": True}, 'takes "prompt" and nothing else; it was given stream'),
    ],
)
def test_bad_arguments_are_told_to_the_model_that_calls(agent, endpoint, arguments, words, mode):
    result = using(agent, lambda client: client.call_tool("tide", arguments), mode=mode)

    assert result.is_error
    assert words in texts(result)[0]
    assert result.meta["strandline/error"]["type"] == "bad_request"
    assert endpoint.requests == []


@pytest.mark.parametrize("mode", ERAS)
def test_another_tool_does_not_exist(agent, mode):
    async def call(client):
        with pytest.raises(MCPError, match="the agent is the tool tide"):
            await client.call_tool("tides", {"prompt": "Hello"})

    using(agent, call, mode=mode)


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=429), "model_throttled"),
        (Reply(status=400), "model_refused"),
        (Reply(cut_after=3), "model_answer_broken"),
    ],
    ids=["429", "400", "cut"],
)
def test_failure_is_a_typed_result_and_the_session_goes_on(agent, endpoint, reply, kind, mode):
    endpoint.script(TEST_MODEL, reply)
    failed = ask(agent, "Failing", mode=mode, headers={SESSION_HEADER: SESSION})
    endpoint.script(TEST_MODEL, Reply(text="After all."))

    result = ask(agent, "After", mode=mode, headers={SESSION_HEADER: SESSION})

    assert failed.is_error
    error = failed.meta["strandline/error"]
    assert error["type"] == kind
    assert texts(failed) == [f"{error['message']} ({kind}, id {error['id']})"]
    assert texts(result) == ["After all."]
    assert "Failing" not in json.dumps(endpoint.requests[-1].body["messages"])


def test_agent_that_is_stopped_says_so_in_its_text(serve, endpoint, tides):
    agent = serve("MCP", tools=[{"python": tides}], runtime={"max_iterations": 1})
    endpoint.script(
        TEST_MODEL,
        Reply(text="So far", tool_calls=(ToolCall("tide_at", {"place": "Cork"}),), finish_reason="stop"),
    )

    result = ask(agent)

    assert texts(result)[-1] == "(The agent was stopped at its max_iterations; the answer is not complete.)"
    assert result.meta["strandline/answer"]["stop_reason"] == "max_iterations"


def test_personal_data_stays_in(serve, endpoint):
    agent = serve("MCP", observability=MASKING)
    endpoint.script(TEST_MODEL, Reply(text="Write to grace@example.com today."))

    result = ask(agent, "I am ada@example.com, whom do I write to?")

    assert "ada@example.com" not in endpoint.requests[0].raw.decode()
    assert "grace@example.com" not in texts(result)[0]


@pytest.mark.parametrize("mode", ERAS)
def test_caller_who_leaves_ends_the_models_call_and_the_turn(serve, endpoint, mode):
    agent = serve("MCP")
    endpoint.script(TEST_MODEL, Reply(stop_after=3))

    async def leave(client):
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "tide", {"prompt": "Abandoned"})
            await anyio.to_thread.run_sync(endpoint.wait_for_requests, 1)
            group.cancel_scope.cancel()

    using(agent, leave, mode=mode, headers={SESSION_HEADER: SESSION})
    # Long before the agent's own limit.
    assert endpoint.requests[0].gone.wait(20)
    endpoint.script(TEST_MODEL, Reply(text="After all."))
    ask(agent, "After", headers={SESSION_HEADER: SESSION})

    assert "Abandoned" not in json.dumps(endpoint.requests[-1].body["messages"])


def test_no_secret_in_results_or_logs_even_at_debug(serve, endpoint, caplog):
    caplog.set_level(logging.DEBUG)
    agent = serve("MCP", model={"api_key_env": "MODEL_KEY"})
    endpoint.accept_only("another")

    result = ask(agent)

    assert endpoint.requests[0].key == KEY
    assert result.meta["strandline/error"]["type"] == "model_key_refused"
    assert KEY not in f"{result.model_dump_json()} {caplog.text}"


def test_health_is_busy_while_the_agent_works(agent, endpoint):
    before = httpx.get(f"{agent.url}/ping").json()["status"]
    endpoint.script(TEST_MODEL, Reply(stop_after=0))

    async def watch(client):
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "tide", {"prompt": "Long work"})
            await anyio.to_thread.run_sync(endpoint.wait_for_requests, 1)
            async with httpx.AsyncClient() as http:
                during = (await http.get(f"{agent.url}/ping")).json()["status"]
            group.cancel_scope.cancel()
        return during

    assert (before, using(agent, watch)) == ("Healthy", "HealthyBusy")


ACCEPT = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        (b'{"jsonrpc": "2.0", "id"', 400, -32700, "not JSON"),
        (b"[" * 200_000, 400, -32700, "nests too deep"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, 400, -32700, "nests deeper than 64 levels"),
        (b"\xff", 400, -32700, "not UTF-8"),
        (b" " * (MAXIMUM_BODY_BYTES + 1), 400, -32600, "larger than"),
    ],
    ids=["cut", "deep", "rather-deep", "latin-1", "large"],
)
def test_body_that_is_not_taken_is_an_error_of_the_protocol(agent, body, status, code, words):
    answer = httpx.post(f"{agent.url}/mcp", content=body, headers=ACCEPT)

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert words in answer.json()["error"]["message"]


def test_no_session_of_the_protocol_is_kept(agent):
    """AgentCore sends a session id that this server never gave, with the first request too."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}

    answer = httpx.post(f"{agent.url}/mcp", json=call, headers=ACCEPT | {"Mcp-Session-Id": SESSION})

    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers
    (data,) = [line for line in answer.text.splitlines() if line.startswith("data:")]
    assert json.loads(data.removeprefix("data:"))["result"]["tools"][0]["name"] == "tide"
