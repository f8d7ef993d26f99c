"""The events of a stream: Strandline's own beside Converse's, as `docs/invocations.md` tells them."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import agent_runtime
from agent_runtime import events, failures
from agent_runtime.failures import InvocationError, failure_of
from agent_runtime.inputs import Prompt
from agent_runtime.secret_reader import SecretError
from stacks.custom_resources.agent_calls import messages as read_messages
from stacks.custom_resources.agent_calls import read as read_stream
from stacks.custom_resources.dialects import DIALECTS
from strandline.invocation import told_of
from tests.runtime.handler import SESSION, events_of, text_of
from tests.support.equipped_handler import TEST_MODEL, EquippedHandler
from tests.support.openai_server import Reply, ToolCall

PAGE = (Path(__file__).parents[2] / "docs/invocations.md").read_text()
TYPES = {
    events.TEXT_DELTA,
    events.TOOL_START,
    events.TOOL_END,
    events.USAGE,
    events.STRUCTURED,
    events.DONE,
    events.ERROR,
}
SCHEMA = {"type": "object", "properties": {"high_water": {"type": "string"}}, "required": ["high_water"]}
ANSWER = {"high_water": "06:00"}
FORECAST = '''
from strands import tool

@tool
def forecast(place: str) -> str:
    """Forecasts the tide."""
    if place == "Nowhere":
        raise ValueError("canary of the tool")
    return "six, the tool says"
'''


@pytest.fixture
def equipped(endpoint, secrets_manager, clock, tmp_path, monkeypatch):
    """Serves an agent with a tool."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "weathering.py").write_text(FORECAST)
    running = []

    def start(schemas=None, **members):
        members = {"tools": [{"python": "weathering:forecast"}], **members}
        running.append(EquippedHandler(endpoint, secrets_manager, clock, tmp_path, schemas, **members))
        return running[-1]

    yield start
    for handler in running:
        handler.stop()
    sys.modules.pop("weathering", None)


def _call(place, identifier="call_1"):
    return ToolCall("forecast", {"place": place}, id=identifier)


def _own(told):
    return [event for event in told if "type" in event]


def test_tools_begin_and_end_between_the_models_messages(equipped, endpoint):
    calls = (_call("Aberdeen"), _call("Nowhere", "call_2"))
    endpoint.script(TEST_MODEL, Reply(text="Let me see.", tool_calls=calls), Reply(text="At six."))

    told = equipped().ask_streaming()

    kinds = [event["type"] for event in _own(told)]
    assert kinds[:4] == [*(3 * ["text_delta"]), "usage"]
    assert sorted(kinds[4:8]) == ["tool_end", "tool_end", "tool_start", "tool_start"]
    assert kinds[8:] == ["text_delta", "text_delta", "usage", "done"]
    started = {event["tool"]["id"]: event["tool"] for event in told if event.get("type") == "tool_start"}
    ended = {event["tool"]["id"]: event["tool"] for event in told if event.get("type") == "tool_end"}
    assert started["call_1"] == {"id": "call_1", "name": "forecast", "input": {"place": "Aberdeen"}}
    assert {identifier: tool["status"] for identifier, tool in ended.items()} == {
        "call_1": "success",
        "call_2": "error",
    }
    # What tools give is for the model.
    assert "the tool says" not in json.dumps(told)
    assert "canary" not in json.dumps(told)


def test_tool_is_told_when_it_begins_and_not_when_it_ends(equipped, endpoint, tmp_path):
    (tmp_path / "gate.py").write_text(
        "import threading\nfrom strands import tool\nrelease = threading.Event()\n\n"
        '@tool\ndef held() -> str:\n    """Waits."""\n    return str(release.wait(30))\n'
    )
    handler = equipped(tools=[{"python": "gate:held"}])
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(ToolCall("held"),)), Reply(text="Done"))
    kinds = []
    with handler.streaming() as response:
        for event in events_of_lines(response.iter_lines()):
            kinds.append(event.get("type"))
            if event.get("type") == "tool_start":
                # It waits for this: the event was sent while the tool was running.
                sys.modules["gate"].release.set()
    sys.modules.pop("gate")

    assert "True" in endpoint.requests[-1].raw.decode()
    assert kinds[-1] == "done"


def events_of_lines(lines):
    """The events of a stream as they come."""
    return (json.loads(line[len("data:") :]) for line in lines if line.startswith("data:"))


def test_usage_counts_all_calls_so_far(equipped, endpoint):
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(_call("Aberdeen"),)), Reply(text="At six."))

    told = equipped().ask_streaming()

    totals = [event["usage"]["total_tokens"] for event in told if event.get("type") == "usage"]
    assert totals == [18, 36]
    assert told[-1]["usage"]["total_tokens"] == 36


def test_structured_answer_is_an_event_and_the_tool_that_makes_it_is_none(equipped, endpoint):
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(ToolCall("tide", ANSWER),)))

    told = equipped({"tide": SCHEMA}, tools=[], output_schema="tide").ask_streaming()

    assert [event["type"] for event in _own(told)] == ["usage", "structured", "done"]
    assert told[-2]["structured"] == told[-1]["structured"] == ANSWER
    assert told[-2]["schema"]["name"] == "tide"


def test_lines_of_converse_are_as_strands_emits_them(equipped, endpoint):
    """Who reads them only, and nothing beside them, sees what the SDK's own stream would give."""
    endpoint.script(TEST_MODEL, Reply(text="At six."))

    told = [event["event"] for event in equipped().ask_streaming() if "event" in event]

    kinds = [next(iter(event)) for event in told]
    assert kinds == [
        "messageStart",
        "contentBlockStart",
        *(2 * ["contentBlockDelta"]),
        *("contentBlockStop", "messageStop", "metadata"),
    ]
    assert all(len(event) == 1 for event in told)


def test_every_line_of_a_stream_begins_as_before(equipped, endpoint):
    endpoint.script(TEST_MODEL, Reply(text="At six."))

    lines = equipped().invoke({"prompt": "When?"}, accept="text/event-stream").text.split("\n\n")

    assert lines.pop() == ""
    assert all(line.startswith('data: {"event":{') for line in lines[:-1])
    assert lines[-1].startswith('data: {"type":"done","v":1,')


class _Body:
    """A stream as botocore gives it."""

    def __init__(self, content):
        self._content = content

    def iter_chunks(self, size):
        return (self._content[at : at + size] for at in range(0, len(self._content), size))


def test_command_line_reads_such_a_stream(equipped, endpoint):
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(_call("Nowhere"),)), Reply(text="High water at six."))
    stream = equipped().invoke({"prompt": "When?"}, accept="text/event-stream").content
    pieces = []

    told = read_messages({"contentType": "text/event-stream", "response": _Body(stream)})
    answer = read_stream(DIALECTS["HTTP"].read(told), 0.0, pieces.append)

    assert pieces == ["High", " water", " at", " six."]
    assert told_of(answer)["usage"]["total_tokens"] == 36
    assert answer.body["type"] == "done"


# The documentation


def _examples():
    found = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    return {example["type"]: example for example in found}


def test_page_has_one_example_of_each_type_in_the_version_of_the_code():
    examples = _examples()

    assert set(examples) == TYPES
    assert len(re.findall(r"```json\n", PAGE)) == len(TYPES)
    assert {example["v"] for example in examples.values()} == {events.VERSION}
    for kind in TYPES:
        assert f"**{kind}**:" in PAGE


def test_events_have_the_members_that_the_page_tells(equipped, endpoint):
    endpoint.script(TEST_MODEL, Reply(text="Well.", tool_calls=(_call("Aberdeen"),)), Reply(text="At six.", cost=0.002))
    told = equipped().ask_streaming()
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(ToolCall("tide", ANSWER),)))
    told += equipped({"tide": SCHEMA}, tools=[], output_schema="tide").ask_streaming(session=SESSION[::-1])[:-1]
    endpoint.script(TEST_MODEL, Reply(status=404))
    told += equipped().ask_streaming(session="b" * 40)

    seen = {event["type"]: event for event in _own(told)}
    assert set(seen) == TYPES
    for kind, example in _examples().items():
        assert _flat(seen[kind]) == _flat(example), kind


def _flat(event, way=""):
    """Names of all members; what depends on the question or the endpoint is one member."""
    open_ended = {"input", "structured", "event", "gateway", "all_answered", "content", "schema"}
    names = set()
    for name, member in event.items():
        names.add(f"{way}{name}")
        if isinstance(member, dict) and name not in open_ended:
            names |= _flat(member, f"{way}{name}.")
    return names


def _known_failures():
    """Every type of failure that the code knows, with its status."""
    for module in pkgutil.walk_packages(agent_runtime.__path__, "agent_runtime."):
        if module.name.endswith((".faults", ".failures")):
            importlib.import_module(module.name)
    overflow = type(failures._OVERFLOW, (Exception,), {})()
    known = {failure.type: failure.status for failure in map(failure_of, (SecretError("x"), overflow, RuntimeError()))}
    known |= {kind: 502 for kind, _ in failures._KNOWN.values()}
    return known | {one.kind: one.status for one in _below(InvocationError) if one.kind != "blocked"}


def _below(kind):
    for one in kind.__subclasses__():
        if one.__module__.startswith("agent_runtime."):
            yield one
            yield from _below(one)


def test_page_tells_every_failure_and_its_status():
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE))

    assert {kind: int(status) for kind, status in rows.items()} == _known_failures()


def test_only_faults_of_this_side_are_5xx():
    of_the_caller = {"bad_request", "payload_too_large", "context_overflow", "input_blocked"}

    assert {kind for kind, status in _known_failures().items() if status < 500} == of_the_caller


def test_payloads_of_the_page_are_taken():
    asked = re.findall(r"^\| `(\{\"prompt\": \"[^`]*\})` \| everybody", PAGE, re.MULTILINE)

    assert [Prompt.from_payload(json.loads(payload)).messages[0]["role"] for payload in asked] == ["user"]


def test_text_of_the_stream_is_that_of_the_answer(equipped, endpoint):
    endpoint.script(TEST_MODEL, Reply(text="High water at six."))

    told = events_of(equipped().invoke({"prompt": "When?"}, accept="text/event-stream"))

    typed = [
        event["event"]["contentBlockDelta"]["delta"]["text"] for event in told if event.get("type") == "text_delta"
    ]
    assert "".join(typed) == text_of(told) == "High water at six."
