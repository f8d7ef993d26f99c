"""Answers that fit a schema, through the handler: the model's tool, its mistakes, and its failure."""

from __future__ import annotations

import json

import pytest

from agent_runtime.errors import InputError
from tests.support.equipped_handler import SCHEMA_HASH, TEST_MODEL
from tests.support.openai_server import Reply, ToolCall

GOOD = {"place": "Cork", "depths": [1.5, 2], "next": {"after": {"after": None}}}
CLASS = '''
from datetime import date
from enum import Enum
from pydantic import BaseModel, Field, RootModel, field_validator

class Kind(Enum):
    HIGH = "high"
    LOW = "low"

class Tide(BaseModel):
    """What the tide does."""
    place: str = Field(description="Name of the harbour.")
    kind: Kind
    day: date
    after: "Tide | None" = Field(default=None, alias="next")

    @field_validator("place")
    @classmethod
    def _known(cls, place):
        if place.startswith("canary"):
            raise ValueError(f"nobody knows {place}")
        return place

class Tides(RootModel[list[Tide]]):
    pass

def make():
    return Tide
'''


def answering(*tries, name="analysis"):
    """Replies with an answer each by the schema's tool."""
    return [Reply(text="", tool_calls=(ToolCall(name, one),)) for one in tries]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_answer_fits_and_is_plain_json(serve, endpoint, analysis, accept):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, *answering(GOOD))

    answer = handler.ask() if accept == "application/json" else handler.ask_streaming()[-1]

    assert answer["structured"] == {**GOOD, "unit": "m"}
    assert answer["schema"] == {"name": "analysis", "sha256": SCHEMA_HASH}
    assert json.loads(answer["result"]["content"][0]["text"]) == answer["structured"]
    assert answer["stop_reason"] == "end_turn"
    assert len(endpoint.requests) == 1


def test_model_is_shown_the_very_schema(serve, endpoint, analysis):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, *answering(GOOD))

    handler.ask()

    (tool,) = endpoint.requests[0].body["tools"]
    own = {name: analysis[name] for name in ("type", "properties", "required", "additionalProperties", "$defs")}
    assert tool["function"]["parameters"] == own
    assert tool["function"]["name"] == "analysis"
    assert "What the tide does." in tool["function"]["description"]


def test_model_that_answers_with_text_is_told_to_use_the_schema(serve, endpoint, analysis):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, Reply(text="High tide in Cork."), *answering(GOOD))

    answer = handler.ask()

    assert answer["structured"]["place"] == "Cork"
    assert endpoint.requests[1].body["tool_choice"] == {"type": "function", "function": {"name": "analysis"}}


def test_model_that_is_told_to_and_answers_with_json_text_is_understood(serve, endpoint, analysis):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, Reply(text="High."), Reply(text=json.dumps(GOOD)))

    assert handler.ask()["structured"]["place"] == "Cork"


def test_model_mends_an_answer_that_does_not_fit(serve, endpoint, analysis):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, *answering({"place": "C", "level": "canary", "more": 1}, GOOD))

    assert handler.ask()["structured"]["place"] == "Cork"

    (told,) = [message["content"] for message in endpoint.requests[1].body["messages"] if message["role"] == "tool"]
    assert "Field 'place'" in str(told)
    assert "'canary' is not one of [1, 'high', None]" in str(told)
    assert "'more' was unexpected" in str(told)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_model_that_never_fits_is_a_typed_failure_without_its_words(serve, endpoint, analysis, accept, caplog):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis}, runtime={"max_iterations": 3})
    endpoint.script(TEST_MODEL, *answering({"level": "canary-value", "canary-name": 1, "depths": [-1]}))

    if accept == "application/json":
        refused = handler.invoke({"prompt": "Hello"})
        assert refused.status_code == 502
        error = refused.json()["error"]
    else:
        error = handler.ask_streaming()[-1]["error"]

    assert error["type"] == "structured_output_failed"
    assert "the schema analysis: the calls of the blueprint's runtime.max_iterations were used up" in error["message"]
    assert "level: breaks the schema's enum [1, 'high', None]" in error["message"]
    assert "depths[0]: breaks the schema's minimum 0" in error["message"]
    assert "the answer: lacks place" in error["message"]
    assert "the answer: has members that the schema does not know" in error["message"]
    assert "canary" not in error["message"] + caplog.text
    assert len(endpoint.requests) == 3


def test_model_that_only_talks_is_a_typed_failure(serve, endpoint, analysis):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, Reply(text="I would rather not."))

    error = handler.invoke({"prompt": "Hello"}).json()["error"]

    assert error["type"] == "structured_output_failed"
    assert "text that is no JSON object" in error["message"]


def test_answer_that_is_cut_off_is_a_typed_failure(serve, endpoint, analysis):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, Reply(text="High ti", finish_reason="length"))

    error = handler.invoke({"prompt": "Hello"}).json()["error"]

    assert error["type"] == "structured_output_failed"
    assert "cut off at the blueprint's model.max_tokens" in error["message"]


def test_failed_answer_leaves_the_conversation_as_it_was(serve, endpoint, analysis):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, Reply(text="No."))
    handler.invoke({"prompt": "First"})
    endpoint.script(TEST_MODEL, *answering(GOOD))

    handler.ask("Second")

    assert [message["role"] for message in endpoint.requests[-1].body["messages"]] == ["system", "user"]


def test_conversation_goes_on_after_an_answer(serve, endpoint, analysis):
    handler = serve(output_schema="analysis", schemas={"analysis": analysis})
    endpoint.script(TEST_MODEL, *answering(GOOD, {"place": "Kinsale"}))
    handler.ask("First")

    assert handler.ask("Second")["structured"]["place"] == "Kinsale"


def test_tools_are_used_before_the_answer(serve, endpoint, folder, analysis):
    (folder / "sea.py").write_text(
        "from strands import tool\n@tool\ndef depth(place: str) -> str:\n    'Depth.'\n    return '4 m'\n"
    )
    handler = serve(output_schema="analysis", schemas={"analysis": analysis}, tools=[{"python": "sea:depth"}])
    endpoint.script(TEST_MODEL, *answering({"place": "Cork"}, name="depth"), *answering({"place": "Cork", "kind": 5}))

    assert handler.ask()["structured"] == {"place": "Cork", "kind": 5, "unit": "m"}


def test_tool_with_the_schemas_name_stops_the_start(serve, folder, analysis):
    (folder / "sea.py").write_text("from strands import tool\n@tool\ndef analysis() -> str:\n    'A.'\n    return ''\n")

    with pytest.raises(InputError, match="have the name analysis"):
        serve(output_schema="analysis", schemas={"analysis": analysis}, tools=[{"python": "sea:analysis"}])


def test_class_of_the_user_is_answered(serve, endpoint, folder):
    (folder / "models.py").write_text(CLASS)
    handler = serve(output_schema="models:Tide")
    sent = {
        "place": "Cork",
        "kind": "low",
        "day": "2026-11-21",
        "next": {"place": "X", "kind": "high", "day": "2026-11-22"},
    }
    endpoint.script(TEST_MODEL, *answering({**sent, "kind": "sideways"}, sent, name="Tide"))

    answer = handler.ask()

    assert answer["structured"] == {**sent, "next": {**sent["next"], "next": None}}
    assert answer["schema"]["name"] == "Tide"
    parameters = endpoint.requests[0].body["tools"][0]["function"]["parameters"]
    assert parameters["properties"]["kind"] == {"$ref": "#/$defs/Kind"}
    assert parameters["$defs"]["Kind"]["enum"] == ["high", "low"]
    assert parameters["type"] == "object"


def test_words_of_the_users_own_check_are_for_the_model_only(serve, endpoint, folder, caplog):
    (folder / "models.py").write_text(CLASS)
    handler = serve(output_schema="models:Tide", runtime={"max_iterations": 2})
    endpoint.script(TEST_MODEL, *answering({"place": "canary", "kind": "low", "day": "2026-11-21"}, name="Tide"))

    error = handler.invoke({"prompt": "Hello"}).json()["error"]

    assert "nobody knows canary" in str(endpoint.requests[1].body["messages"])
    assert "place: is refused by the schema's own check" in error["message"]
    assert "canary" not in error["message"] + caplog.text


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("models:Tides", "models:Tides does not describe an object"),
        ("models:make", "models:make is no class of pydantic"),
        ("models:Kind", "models:Kind is no class of pydantic"),
        ("models:Nothing", "the module models has no Nothing"),
    ],
)
def test_class_that_cannot_be_used_stops_the_start(serve, folder, reference, said):
    (folder / "models.py").write_text(CLASS)

    with pytest.raises(InputError, match=said):
        serve(output_schema=reference)
