"""An agent as a peer: the real client of the `a2a` package for version 1.0, plain JSON-RPC for version 0.3."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import uuid

import httpx
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers.proto_helpers import new_text_message
from a2a.types import Role, SendMessageRequest, TaskState

from agent_runtime.caller import Caller
from agent_runtime.protocols.a2a_tasks import BoundedTaskStore
from agent_runtime.request_guard import MAXIMUM_BODY_BYTES
from tests.protocols.conftest import KEY, MASKING
from tests.runtime.handler import SESSION, SESSION_HEADER
from tests.support.equipped_handler import TEST_MODEL
from tests.support.openai_server import Reply, ToolCall

TIDES = {"place": "Cork", "depths": [1.5, 2]}
LONG = " ".join(f"word{number}" for number in range(120))


def rpc(agent, method, params, *, session=SESSION, headers=None):
    """Calls a method and gives the whole answer."""
    body = {"jsonrpc": "2.0", "id": "req-1", "method": method, "params": params}
    answer = httpx.post(agent.url, json=body, headers={SESSION_HEADER: session, **(headers or {})}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["id"] == "req-1"
    return answer.json()


def message(*parts, **members):
    """A message in version 0.3; texts become text parts."""
    told = [{"kind": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return {"message": {"role": "user", "messageId": str(uuid.uuid4()), "kind": "message", "parts": told, **members}}


def ask(agent, text="Hello", *, session=SESSION, **members):
    """Sends a message and gives the task that came of it."""
    return rpc(agent, "message/send", message(text, **members), session=session)["result"]


def stream(agent, text="Hello", **members):
    """Sends a message and gives the events that come."""
    body = {"jsonrpc": "2.0", "id": "req-1", "method": "message/stream", "params": message(text, **members)}
    with httpx.stream("POST", agent.url, json=body, headers={SESSION_HEADER: SESSION}, timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line.removeprefix("data:"))["result"] for line in answer.iter_lines() if "data:" in line]


def texts(task):
    """The texts of a task's artifacts."""
    return [part["text"] for artifact in task["artifacts"] for part in artifact["parts"] if part["kind"] == "text"]


@pytest.fixture
def agent(serve):
    return serve("A2A", description="Knows the tides.", tags=["tides"])


def test_card_is_the_blueprint(agent):
    card = httpx.get(f"{agent.url}/.well-known/agent-card.json").json()

    assert (card["name"], card["version"], card["description"]) == ("Tide", "1.2.3", "Knows the tides.")
    assert card["capabilities"]["streaming"] is True
    (skill,) = card["skills"]
    assert (skill["id"], skill["tags"]) == ("tide", ["tides"])
    assert [one["protocolVersion"] for one in card["supportedInterfaces"]] == ["1.0", "0.3"]
    # As version 0.3 has it.
    assert (card["url"], card["preferredTransport"]) == ("http://localhost:9000/", "JSONRPC")


def test_card_tells_the_address_that_agentcore_tells(serve, monkeypatch):
    address = "https://bedrock-agentcore.eu-west-1.amazonaws.com/runtimes/x/invocations"
    monkeypatch.setenv("AGENTCORE_RUNTIME_URL", address)

    card = httpx.get(f"{serve('A2A').url}/.well-known/agent-card.json").json()

    assert {one["url"] for one in card["supportedInterfaces"]} == {address}
    assert card["description"] == "Tide"


def test_message_becomes_a_task_with_the_answer_as_its_artifact(agent, endpoint):
    endpoint.script(TEST_MODEL, Reply(text="High at noon.", cost=0.25))

    task = ask(agent, "When is high tide?")

    assert task["kind"] == "task"
    assert task["status"]["state"] == "completed"
    assert texts(task) == ["High at noon."]
    told = task["metadata"]["strandline/answer"]
    assert (told["agent"], told["version"], told["stop_reason"]) == ("tide", "1.2.3", "end_turn")
    assert (told["usage"]["total_tokens"], told["cost_usd"]) == (18, 0.25)
    assert "When is high tide?" in json.dumps(endpoint.requests[0].body["messages"])


def test_task_can_be_read_again_by_its_session_only(agent):
    task = ask(agent)

    assert rpc(agent, "tasks/get", {"id": task["id"]})["result"]["artifacts"] == task["artifacts"]
    assert rpc(agent, "tasks/get", {"id": task["id"]}, session="x" * 40)["error"]["code"] == -32001


def test_client_of_version_1_finds_the_agent_by_its_card(serve, endpoint, monkeypatch):
    endpoint.script(TEST_MODEL, Reply(text=LONG))

    async def talk(url):
        async with httpx.AsyncClient(timeout=30) as http:
            card = await A2ACardResolver(http, url).get_agent_card()
            for interface in card.supported_interfaces:
                interface.url = url
            client = ClientFactory(ClientConfig(httpx_client=http, streaming=True)).create(card)
            request = SendMessageRequest(message=new_text_message("Hello", role=Role.ROLE_USER))
            return [event async for event in client.send_message(request)]

    events = asyncio.run(talk(serve("A2A").url))

    pieces = [event.artifact_update for event in events if event.HasField("artifact_update")]
    assert "".join(part.text for piece in pieces for part in piece.artifact.parts) == LONG
    assert len(pieces) > 3
    assert [piece.last_chunk for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    states = [event.status_update.status.state for event in events if event.HasField("status_update")]
    assert states == [TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED]


def test_method_tells_the_version_where_no_header_does(agent):
    """InvokeAgentRuntime has no parameter for the header `A2A-Version`."""
    sent = {"message": {"role": "ROLE_USER", "messageId": "m-1", "parts": [{"text": "Hello"}]}}

    task = rpc(agent, "SendMessage", sent)["result"]["task"]

    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert task["artifacts"][0]["parts"] == [{"text": "Hello from the local model."}]
    refused = rpc(agent, "SendMessage", sent, headers={"A2A-Version": "0.3"})
    assert refused["error"]["code"] == -32009


def test_stream_brings_the_answer_in_chunks_of_one_artifact(agent, endpoint):
    endpoint.script(TEST_MODEL, Reply(text=LONG))

    events = stream(agent)

    assert [event["kind"] for event in events[:2]] == ["task", "status-update"]
    chunks = [event for event in events if event["kind"] == "artifact-update"]
    assert len({chunk["artifact"]["artifactId"] for chunk in chunks}) == 1
    assert "".join(part["text"] for chunk in chunks for part in chunk["artifact"]["parts"]) == LONG
    assert [chunk.get("append", False) for chunk in chunks] == [False] + [True] * (len(chunks) - 1)
    assert chunks[-1]["lastChunk"] is True
    assert (events[-1]["status"]["state"], events[-1]["final"]) == ("completed", True)
    task = rpc(agent, "tasks/get", {"id": events[0]["id"]})["result"]
    assert "".join(texts(task)) == LONG


def test_what_is_said_before_a_tool_is_not_left_in_the_answer(serve, endpoint, tides):
    agent = serve("A2A", tools=[{"python": tides}])
    call = ToolCall("tide_at", {"place": "Cork"})
    endpoint.script(TEST_MODEL, Reply(text=f"Let me see. {LONG}", tool_calls=(call,)), Reply(text="High."))

    events = stream(agent)

    task = rpc(agent, "tasks/get", {"id": events[0]["id"]})["result"]
    assert texts(task) == ["High."]


@pytest.mark.parametrize("streamed", [False, True])
def test_answer_by_a_schema_is_a_data_part(serve, endpoint, analysis, streamed):
    agent = serve("A2A", schemas={"analysis": analysis}, output_schema="analysis")
    reply = Reply(text="Let me think.", tool_calls=(ToolCall("analysis", TIDES),))
    endpoint.script(TEST_MODEL, reply)

    if streamed:
        chunks = [event for event in stream(agent) if event["kind"] == "artifact-update"]
        (artifact,) = [chunk["artifact"] for chunk in chunks]
    else:
        (artifact,) = ask(agent)["artifacts"]

    text, data = artifact["parts"]
    assert json.loads(text["text"]) == {**TIDES, "unit": "m"}
    assert (data["kind"], data["data"]) == ("data", {**TIDES, "unit": "m"})


def test_context_is_the_conversation(agent, endpoint):
    first = ask(agent, "My name is Ada.")
    ask(agent, "What is my name?", contextId=first["contextId"])
    ask(agent, "And in a new context?")
    ask(agent, "And from elsewhere?", contextId=first["contextId"], session="x" * 40)

    said = [json.dumps(request.body["messages"]) for request in endpoint.requests]
    assert ["Ada" in one for one in said] == [True, True, False, False]


def test_contexts_and_tasks_go_on_where_nobody_names_a_session(agent, endpoint):
    def send(text, **members):
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": message(text, **members)}
        return httpx.post(agent.url, json=body, timeout=30).json()["result"]

    first = send("My name is Ada.")
    send("What is my name?", contextId=first["contextId"])

    assert "Ada" in json.dumps(endpoint.requests[1].body["messages"])
    read = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": first["id"]}}
    assert httpx.post(agent.url, json=read).json()["result"]["id"] == first["id"]


def test_answer_and_trace_are_of_agentcores_session(agent, endpoint):
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    task = rpc(agent, "message/send", message("Hello"), headers={"traceparent": trace})["result"]

    assert task["metadata"]["strandline/answer"]["session_id"] == SESSION
    assert endpoint.requests[0].header("traceparent") == trace


def test_session_that_agentcore_would_not_send_is_refused(agent, endpoint):
    error = rpc(agent, "message/send", message("Hello"), session="short")["error"]

    assert error["code"] == -32602
    assert "33 to 256 characters" in error["message"]
    assert endpoint.requests == []


def test_data_parts_reach_the_model_as_json(agent, endpoint):
    data = {"kind": "data", "data": {"place": "Cork", "depth": 2}}

    rpc(agent, "message/send", message("Take this:", data))

    (block,) = endpoint.requests[0].body["messages"][-1]["content"]
    first, data = block["text"].split("\n")
    assert first == "Take this:"
    assert json.loads(data) == {"place": "Cork", "depth": 2}
    assert "2.0" not in data


def test_image_reaches_the_model(agent, endpoint):
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(32)).decode()
    file = {"kind": "file", "file": {"bytes": png, "mimeType": "image/png", "name": "chart.png"}}

    task = rpc(agent, "message/send", message("What is this?", file))["result"]

    assert task["status"]["state"] == "completed"
    assert png in json.dumps(endpoint.requests[0].body["messages"][-1])
    assert png not in json.dumps(task)
    assert task["history"][0]["parts"][1]["text"] == "(image/png chart.png)"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (" ", "empty"),
        ({"kind": "file", "file": {"uri": "http://169.254.169.254/x", "mimeType": "image/png"}}, "fetches nothing"),
        ({"kind": "file", "file": {"bytes": "AAAA", "mimeType": "image/png"}}, "parts[0].image_url.url is no png"),
        ({"kind": "file", "file": {"bytes": "AAAA", "mimeType": "video/mp4"}}, "type"),
    ],
    ids=["empty", "address", "no-image", "video"],
)
def test_bad_message_is_an_error_with_its_reason(agent, endpoint, part, words):
    error = rpc(agent, "message/send", message(part))["error"]

    assert error["code"] == -32602
    assert words in error["message"]
    assert error["data"]["type"] == "bad_request"
    assert endpoint.requests == []


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(status=429), "model_throttled"), (Reply(cut_after=3), "model_answer_broken")],
    ids=["429", "cut"],
)
def test_failure_is_a_failed_task_and_the_context_goes_on(agent, endpoint, reply, kind, streamed):
    context = ask(agent, "Before")["contextId"]
    endpoint.script(TEST_MODEL, reply)
    task = stream(agent, "Failing", contextId=context)[-1] if streamed else ask(agent, "Failing", contextId=context)
    endpoint.script(TEST_MODEL, Reply(text="After all."))

    after = ask(agent, "After", contextId=context)

    assert task["status"]["state"] == "failed"
    error = task["metadata"]["strandline/error"]
    assert error["type"] == kind
    (part,) = task["status"]["message"]["parts"]
    assert part["text"] == f"{error['message']} ({kind}, id {error['id']})"
    assert texts(after) == ["After all."]
    said = json.dumps(endpoint.requests[-1].body["messages"])
    assert "Before" in said
    assert "Failing" not in said


def test_cancelled_task_ends_the_models_call_and_takes_the_turn_back(agent, endpoint):
    context = ask(agent, "Before")["contextId"]
    endpoint.script(TEST_MODEL, Reply(stop_after=3))
    sent = message("Abandoned", contextId=context) | {"configuration": {"blocking": False}}
    task = rpc(agent, "message/send", sent)["result"]
    endpoint.wait_for_requests(2)
    busy = httpx.get(f"{agent.url}/ping").json()["status"]

    cancelled = rpc(agent, "tasks/cancel", {"id": task["id"]})["result"]

    assert task["status"]["state"] in ("submitted", "working")
    assert busy == "HealthyBusy"
    assert cancelled["status"]["state"] == "canceled"
    # Long before the agent's own limit.
    assert endpoint.requests[1].gone.wait(20)
    endpoint.script(TEST_MODEL, Reply(text="After all."))
    ask(agent, "After", contextId=context)
    assert "Abandoned" not in json.dumps(endpoint.requests[-1].body["messages"])
    assert httpx.get(f"{agent.url}/ping").json()["status"] == "Healthy"


def test_task_goes_on_when_its_caller_leaves(agent, endpoint):
    endpoint.script(TEST_MODEL, Reply(text=LONG, stop_after=60, until=endpoint.ended))
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": message("Hello")}
    with httpx.stream("POST", agent.url, json=body, headers={SESSION_HEADER: SESSION}, timeout=30) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data:"))

    task_id = json.loads(first.removeprefix("data:"))["result"]["id"]
    state = rpc(agent, "tasks/get", {"id": task_id})["result"]["status"]["state"]

    assert state in ("submitted", "working")
    assert httpx.get(f"{agent.url}/ping").json()["status"] == "HealthyBusy"


def test_personal_data_stays_in(serve, endpoint):
    agent = serve("A2A", observability=MASKING)
    endpoint.script(TEST_MODEL, Reply(text="Write to grace@example.com today."))

    events = stream(agent, "I am ada@example.com, whom do I write to?")

    assert "ada@example.com" not in endpoint.requests[0].raw.decode()
    assert "grace@example.com" not in json.dumps(events)


def test_no_secret_in_answers_or_logs_even_at_debug(serve, endpoint, caplog):
    caplog.set_level(logging.DEBUG)
    agent = serve("A2A", model={"api_key_env": "MODEL_KEY"})
    endpoint.accept_only("another")

    task = ask(agent, "canary-of-the-caller")

    assert endpoint.requests[0].key == KEY
    assert task["metadata"]["strandline/error"]["type"] == "model_key_refused"
    assert KEY not in f"{json.dumps(task)} {caplog.text}"


def test_callers_words_are_not_logged_when_they_are_no_request(agent, caplog):
    caplog.set_level(logging.DEBUG)

    for params in ({"message": "canary-words"}, {"message": {"parts": [{"kind": "canary-words"}]}}):
        assert rpc(agent, "message/send", params)["error"]["code"] in (-32600, -32602)
        assert rpc(agent, "SendMessage", params)["error"]["code"] == -32602

    assert "canary-words" not in caplog.text


def test_character_that_the_model_broke_in_two_comes_whole(agent, endpoint):
    frame = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas = [{"content": half} for half in ("Wave \ud83c", "\udf0a!", "\udf0a")]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    lines = [f"data: {json.dumps({**frame, 'choices': [choice]})}\n\n" for choice in choices]
    endpoint.script(TEST_MODEL, Reply(raw=("".join(lines) + "data: [DONE]\n\n").encode()))

    task = rpc(agent, "tasks/get", {"id": stream(agent)[0]["id"]})["result"]

    assert "".join(texts(task)) == "Wave \U0001f30a!\ufffd"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b'{"jsonrpc": "2.0", "id"', -32700, "not JSON"),
        (b"[" * 200_000, -32700, "nests too deep"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, -32700, "nests deeper than 64 levels"),
        (b" " * (MAXIMUM_BODY_BYTES + 1), -32600, "larger than"),
        (b"[]", -32600, ""),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "nothing"}', -32601, ""),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage"}', -32602, ""),
    ],
    ids=["cut", "deep", "rather-deep", "large", "batch", "no-method", "no-params"],
)
def test_body_that_is_not_taken_is_an_error_of_the_protocol(agent, body, code, words):
    answer = httpx.post(agent.url, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code
    assert words in answer.json()["error"]["message"]


def test_oldest_ended_tasks_make_room():
    from a2a.server.context import ServerCallContext
    from a2a.types import Task, TaskStatus

    async def fill():
        store, context = BoundedTaskStore(2), ServerCallContext(state={"caller": Caller("one", None)})
        for name, state in (
            ("running", TaskState.TASK_STATE_WORKING),
            ("oldest", TaskState.TASK_STATE_COMPLETED),
            ("newer", TaskState.TASK_STATE_FAILED),
            ("newest", TaskState.TASK_STATE_COMPLETED),
        ):
            await store.save(Task(id=name, status=TaskStatus(state=state)), context)
        return [name for name in ("running", "oldest", "newer", "newest") if await store.get(name, context)]

    assert asyncio.run(fill()) == ["running", "newest"]
