"""Data protection of what tools give: the model's endpoint, the conversation and the caller get none of it raw."""

from __future__ import annotations

import json
import sys

import pytest

from agent_runtime.data_protection.presidio import PresidioFilter
from tests.support.equipped_handler import TEST_MODEL, EquippedHandler
from tests.support.openai_server import Reply, ToolCall

MAIL, OTHER = "ada.lovelace@example.com", "grace.hopper@example.org"
CARD = "4111 1111 1111 1111"
CODE = f'''
from strands import tool

@tool
def person(name: str) -> str:
    """Looks a person up."""
    return f"{{name}} is {MAIL}, card {CARD}."

@tool
def people(name: str) -> dict:
    """Lists people."""
    found = {{"{MAIL}": {{"card": {CARD.replace(" ", "")}, "phone": "2125550143"}}, "note": "Line\\n{OTHER}\\tend"}}
    return {{"status": "success", "content": [{{"json": found}}, {{"json": {{"tide": ["high", 3]}}}}]}}

@tool
def broken(name: str) -> str:
    """Fails."""
    raise ValueError("no such person as {MAIL}")

@tool
def picture(name: str) -> dict:
    """Draws."""
    image = {{"format": "png", "source": {{"bytes": b"{MAIL}"}}}}
    file = {{"format": "txt", "name": "list", "source": {{"bytes": b"It is {MAIL}."}}}}
    return {{"status": "success", "content": [{{"image": image}}, {{"document": file}}]}}
'''
SCHEMA = {"type": "object", "properties": {"contact": {"type": "string", "maxLength": 30}}, "required": ["contact"]}


@pytest.fixture
def guarded(endpoint, secrets_manager, clock, tmp_path, monkeypatch):
    """Serves an agent with these tools and with data protection."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "protected_tools_code", raising=False)
    (tmp_path / "protected_tools_code.py").write_text(CODE)
    running = []

    def start(*tools, schemas=None, more=None, **protection):
        members = {"observability": {"data_protection": {"provider": "presidio", **protection}}, **(more or {})}
        named = [{"python": f"protected_tools_code:{tool}"} for tool in tools]
        running.append(EquippedHandler(endpoint, secrets_manager, clock, tmp_path, schemas, tools=named, **members))
        return running[-1]

    yield start
    for handler in running:
        handler.stop()


def asking(tool, *more):
    """Has the model call a tool, and then say more."""
    return [Reply(text="", tool_calls=(ToolCall(tool, {"name": "Ada"}),)), *(more or [Reply(text="Done.")])]


def sent(endpoint):
    """Everything that the model's endpoint was sent, as it stands there and as JSON reads it."""
    return "".join(request.raw.decode() + str(request.body) for request in endpoint.requests)


def results(endpoint):
    """What the tools gave, as the model saw it at last."""
    return [message["content"] for message in endpoint.requests[-1].body["messages"] if message["role"] == "tool"]


@pytest.mark.parametrize("stream", [False, True])
def test_result_reaches_the_model_masked_in_this_turn_and_in_later_ones(guarded, endpoint, stream):
    handler = guarded("person", on_output=False)
    endpoint.script(TEST_MODEL, *asking("person"))

    answer = handler.ask_streaming() if stream else handler.ask()
    handler.ask("And now?")

    assert results(endpoint) == ["Ada is <EMAIL_ADDRESS>, card <CREDIT_CARD>."]
    assert MAIL not in sent(endpoint) + json.dumps(answer)
    assert CARD not in sent(endpoint) + json.dumps(answer)


def test_names_numbers_and_lines_of_data_are_masked(guarded, endpoint):
    endpoint.script(TEST_MODEL, *asking("people"))

    guarded("people").ask()

    (result,) = results(endpoint)
    assert not any(value in sent(endpoint) for value in (MAIL, OTHER, CARD.replace(" ", ""), "2125550143"))
    assert result.count("<EMAIL_ADDRESS>") == 2
    assert "<CREDIT_CARD>" in result
    assert "<PHONE_NUMBER>" in result
    assert '{"tide": ["high", 3]}' in result


def test_text_of_a_failure_is_masked(guarded, endpoint):
    endpoint.script(TEST_MODEL, *asking("broken"))

    guarded("broken").ask()

    assert "no such person as <EMAIL_ADDRESS>" in results(endpoint)[0]
    assert MAIL not in sent(endpoint)


def test_what_the_filter_cannot_read_is_left_out(guarded, endpoint):
    endpoint.script(TEST_MODEL, *asking("picture"))

    guarded("picture").ask()

    assert "An image or a file was left out here" in sent(endpoint)
    assert "image_url" not in sent(endpoint)
    assert MAIL not in sent(endpoint)


@pytest.mark.parametrize("stream", [False, True])
def test_result_that_is_blocked_is_withheld_and_the_model_is_told(guarded, endpoint, caplog, stream):
    handler = guarded("person", action="block")
    endpoint.script(TEST_MODEL, *asking("person", Reply(text="I may not see that.")))

    answer = handler.ask_streaming()[-1] if stream else handler.ask()

    assert answer["result"]["content"] == [{"text": "I may not see that."}]
    withheld = "it holds data that may not reach the model: CREDIT_CARD, EMAIL_ADDRESS"
    assert results(endpoint) == [f"The result of person is withheld: {withheld}."]
    assert withheld in caplog.text
    assert not any(value in sent(endpoint) + caplog.text for value in (MAIL, CARD))


def test_filter_that_fails_lets_nothing_pass(guarded, endpoint, monkeypatch, caplog):
    handler = guarded("person")
    find = PresidioFilter.find

    def broken(self, text):
        if MAIL in text:
            raise RuntimeError(f"canary {text}")
        return find(self, text)

    monkeypatch.setattr(PresidioFilter, "find", broken)
    endpoint.script(TEST_MODEL, *asking("person"))

    handler.ask()

    assert results(endpoint) == ["The result of person is withheld: the data protection filter failed on it."]
    assert "canary" not in sent(endpoint) + caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_structured_answer_is_made_of_masked_results(guarded, endpoint, stream):
    handler = guarded("person", schemas={"card": SCHEMA}, more={"output_schema": "card"})
    too_long = ToolCall("card", {"contact": "x" * 40})
    fits = ToolCall("card", {"contact": "<EMAIL_ADDRESS>"})
    replies = [Reply(text="", tool_calls=(call,)) for call in (too_long, fits)]
    endpoint.script(TEST_MODEL, *asking("person", *replies))

    answer = handler.ask_streaming()[-1] if stream else handler.ask()

    assert answer["structured"] == {"contact": "<EMAIL_ADDRESS>"}
    assert MAIL not in sent(endpoint)
    # Strands' own word on the answer is no result of a tool.
    assert "is too long" in results(endpoint)[-1]


@pytest.mark.parametrize("protection", [{"on_input": False}, {"provider": "none"}])
def test_results_pass_where_the_blueprint_filters_no_input(guarded, endpoint, protection):
    endpoint.script(TEST_MODEL, *asking("person"))

    guarded("person", **protection).ask()

    assert MAIL in sent(endpoint)
