"""Data protection of every shape that callers send: texts everywhere are filtered, what is no text does not pass."""

from __future__ import annotations

import asyncio
import json

import pytest

from agent_runtime.blueprint import Blueprint
from agent_runtime.data_protection.faults import InputBlockedError
from agent_runtime.failures import BadRequestError
from agent_runtime.guarded_events import build_guard
from agent_runtime.inputs import Prompt
from tests.runtime.test_inputs import IMAGE, PDF, data_url, encoded
from tests.support.equipped_handler import EquippedHandler
from tests.support.openai_server import Reply, ToolCall

MAIL = "ada.lovelace@example.com"
MASKED = "<EMAIL_ADDRESS>"
USE = {"toolUse": {"toolUseId": "call_1", "name": "lookup", "input": {"of": [{"mail": MAIL}]}}}


NOTE = f"Write to {MAIL}.".encode()


def _document(format="txt", content=NOTE, **more):
    return {"document": {"format": format, "name": "note", "source": {"bytes": encoded(content)}} | more}


def _result(*content):
    return {"toolResult": {"toolUseId": "call_1", "content": list(content)}}


def _after_a_tool(*result):
    return {
        "messages": [
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": [USE]},
            {"role": "user", "content": [_result(*result)]},
            {"role": "assistant", "content": f"She is {MAIL}."},
            {"role": "user", "content": "And now?"},
        ]
    }


OPENAI = {
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": MAIL}]},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"to": MAIL})}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": f"Sent to {MAIL}"},
        {"role": "user", "content": f"Again to {MAIL}"},
    ]
}
FILE = {"type": "file", "file": {"filename": f"{MAIL}.txt", "file_data": data_url("text/plain", MAIL.encode())}}
TEXTS = {
    "prompt": {"prompt": f"Write to {MAIL}."},
    "blocks": {"prompt": [{"text": f"Write to {MAIL}."}]},
    "content": {"prompt": "x", "content": [{"type": "text", "text": f"Write to {MAIL}."}]},
    "input": {"input": {"prompt": f"Write to {MAIL}."}},
    "history": _after_a_tool({"text": f"It is {MAIL}"}),
    "result-json": _after_a_tool({"json": {"mails": [MAIL]}}),
    "result-document": _after_a_tool(_document()),
    "openai": OPENAI,
    "text-document": {"prompt": [_document()]},
    "table": {"prompt": [_document("csv", f"name,mail\nAda,{MAIL}\n".encode())]},
    "openai-file": {"messages": [{"role": "user", "content": [FILE]}]},
}


@pytest.fixture(scope="module")
def guards():
    """Guards by the action that their blueprint asks for; building one takes seconds."""
    settings = {"provider": "presidio"}
    more = {"id": "tide", "name": "Tide", "version": "1.2.3", "prompt_ref": "tide"}
    model = {"provider": "bedrock", "model_id": "m", "temperature": 0, "max_tokens": 9}

    def guard(action):
        protection = {"data_protection": {**settings, "action": action}}
        return build_guard(Blueprint.model_validate({**more, "model": model, "observability": protection}))

    return {action: guard(action) for action in ("mask", "block")}


@pytest.fixture
def guarded(endpoint, secrets_manager, clock, tmp_path):
    """Serves agents with data protection."""
    running = []

    def start(**protection):
        members = {"observability": {"data_protection": {"provider": "presidio", **protection}}}
        running.append(EquippedHandler(endpoint, secrets_manager, clock, tmp_path, **members))
        return running[-1]

    yield start
    for handler in running:
        handler.stop()


def _filtered(guard, payload):
    return asyncio.run(guard.messages(Prompt.from_payload(payload).messages))


@pytest.mark.parametrize("shape", TEXTS)
def test_model_sees_no_personal_data_of_any_shape(guards, shape):
    # Bytes of documents are shown as they are, so that a text in them is found.
    seen = str(_filtered(guards["mask"], TEXTS[shape]))

    assert "lovelace" not in seen
    assert MASKED in seen


@pytest.mark.parametrize("shape", TEXTS)
def test_blocked_text_of_any_shape_goes_no_further(guards, shape):
    with pytest.raises(InputBlockedError, match="EMAIL_ADDRESS") as refusal:
        _filtered(guards["block"], TEXTS[shape])

    assert refusal.value.status == 400
    assert MAIL not in str(refusal.value)


def test_names_of_documents_are_not_handed_on(guards):
    (message,) = _filtered(guards["mask"], {"prompt": [_document(name="Ada Lovelace"), _document(content=b"x"), FILE]})

    names = [block["document"]["name"] for block in message["content"]]
    assert all(name.startswith("document-") for name in names)
    assert len({*names}) == 3


def test_history_through_the_handler_is_masked_for_the_model(guarded, endpoint):
    response = guarded().invoke(TEXTS["openai"])

    assert response.status_code == 200, response.text
    assert "lovelace" not in endpoint.requests[-1].raw.decode()
    assert endpoint.requests[-1].raw.decode().count(MASKED) == 4


NO_TEXTS = {
    "image": ({"prompt": [IMAGE]}, "an image"),
    "image-in-result": (_after_a_tool(IMAGE), "an image"),
    "pdf": ({"prompt": [_document("pdf", PDF)]}, "a document of the format pdf"),
    "latin-1": ({"prompt": [_document(content="Fl\u00f3d".encode("latin-1"))]}, "not UTF-8"),
}


@pytest.mark.parametrize("case", NO_TEXTS)
def test_what_the_filter_cannot_read_does_not_pass(guards, case):
    payload, words = NO_TEXTS[case]

    with pytest.raises(BadRequestError, match=words):
        _filtered(guards["mask"], payload)


def test_image_passes_where_only_answers_are_filtered(guarded, endpoint):
    refused, taken = guarded().invoke({"prompt": [IMAGE]}), guarded(on_input=False).invoke({"prompt": [IMAGE]})

    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "bad_request")
    assert taken.status_code == 200
    assert len(endpoint.requests) == 1


def test_input_of_a_tool_is_filtered_in_its_event_too(guarded, endpoint):
    call = Reply(text="", tool_calls=(ToolCall("lookup", {"mail": MAIL}),))
    endpoint.script("my-org/tide-model", call, Reply(text="Done."))

    events = guarded(on_input=False).ask_streaming()

    (start,) = [event for event in events if event.get("type") == "tool_start"]
    assert start["tool"]["input"] == {"mail": MASKED}
    assert MAIL not in json.dumps(events)
