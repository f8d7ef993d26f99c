"""Data protection through the handler: what the model sees, what the caller gets, streamed and whole."""

from __future__ import annotations

import json

import pytest

from tests.runtime.handler import events_of, text_of
from tests.support.equipped_handler import TEST_MODEL, EquippedHandler
from tests.support.openai_server import Reply, ToolCall

MAIL = "ada.lovelace@example.com"
CARD = "4111 1111 1111 1111"
PERSON_SCHEMA = {
    "title": "Person",
    "type": "object",
    "properties": {"contact": {"type": "string"}},
    "required": ["contact"],
}


@pytest.fixture
def guarded(endpoint, secrets_manager, clock, tmp_path):
    """Serves agents with data protection."""
    running = []

    def start(schemas=None, *, more=None, **protection):
        members = {"observability": {"data_protection": {"provider": "presidio", **protection}}, **(more or {})}
        running.append(EquippedHandler(endpoint, secrets_manager, clock, tmp_path, schemas, **members))
        return running[-1]

    yield start
    for handler in running:
        handler.stop()


def test_model_never_sees_what_is_masked(guarded, endpoint):
    guarded().ask(f"Write to {MAIL} about card {CARD}.")
    sent = endpoint.requests[-1].raw.decode()
    assert MAIL not in sent
    assert CARD not in sent
    assert "<EMAIL_ADDRESS>" in sent
    assert "<CREDIT_CARD>" in sent


@pytest.mark.parametrize("stream", [False, True])
def test_caller_never_sees_what_is_masked(guarded, endpoint, stream):
    endpoint.script(TEST_MODEL, Reply(text=f"Her address is {MAIL} and her card is {CARD}, as you know."))
    handler = guarded()
    expected = "Her address is <EMAIL_ADDRESS> and her card is <CREDIT_CARD>, as you know."
    if not stream:
        assert handler.ask()["result"]["content"] == [{"text": expected}]
        return
    events = handler.ask_streaming()
    assert text_of(events) == expected
    assert events[-1]["result"]["content"] == [{"text": expected}]
    assert MAIL not in json.dumps(events)
    stops = [number for number, event in enumerate(events) if "contentBlockStop" in event.get("event", {})]
    deltas = [number for number, event in enumerate(events) if "contentBlockDelta" in event.get("event", {})]
    assert max(deltas) < stops[-1]


def test_reasoning_is_filtered_like_text(guarded, endpoint):
    endpoint.script(TEST_MODEL, Reply(reasoning=f"They mean {MAIL}.", text="Done."))
    events = guarded().ask_streaming()
    assert MAIL not in json.dumps(events)
    assert "<EMAIL_ADDRESS>" in json.dumps(events)


def test_structured_answer_is_filtered(guarded, endpoint):
    call = Reply(text="", tool_calls=(ToolCall("person", {"contact": MAIL}),))
    endpoint.script(TEST_MODEL, call)
    answer = guarded({"person": PERSON_SCHEMA}, more={"output_schema": "person"}).ask()
    assert answer["structured"] == {"contact": "<EMAIL_ADDRESS>"}
    assert MAIL not in json.dumps(answer)


def test_directions_are_the_blueprints(guarded, endpoint):
    endpoint.script(TEST_MODEL, Reply(text=f"It is {MAIL}."))
    assert guarded(on_output=False).ask()["result"]["content"] == [{"text": f"It is {MAIL}."}]
    guarded(on_input=False).ask(f"Write to {MAIL}.")
    assert MAIL in endpoint.requests[-1].raw.decode()


def test_blocked_prompt_reaches_no_model_and_leaves_the_session_alone(guarded, endpoint):
    handler = guarded(action="block")
    refused = handler.invoke({"prompt": f"Write to {MAIL}."})
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "input_blocked"
    assert "EMAIL_ADDRESS" in refused.text
    assert MAIL not in refused.text
    assert not endpoint.requests
    handler.ask("Good morning.")
    assert len(endpoint.requests[-1].body["messages"]) == 2


def test_blocked_answer_ends_the_stream_before_any_of_it_is_out(guarded, endpoint):
    endpoint.script(TEST_MODEL, Reply(text=f"It is {MAIL}, that is all that I know about it today."))
    response = guarded(action="block").invoke({"prompt": "Who?"}, accept="text/event-stream")
    events = events_of(response)
    assert events[-1]["error"]["type"] == "output_blocked"
    assert "ada" not in response.text


def test_agent_without_data_protection_filters_nothing(guarded, endpoint):
    endpoint.script(TEST_MODEL, Reply(text=f"It is {MAIL}."))
    assert guarded(provider="none").ask()["result"]["content"] == [{"text": f"It is {MAIL}."}]
