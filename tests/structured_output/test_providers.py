"""Answers that fit a schema, by every way to a model: the forced tool and its schema in each provider's own words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.providers.conftest import house
from tests.support.equipped_handler import EquippedHandler
from tests.support.openai_server import Reply, ToolCall
from tests.tools.conftest import clock

__all__ = ["clock", "house"]

# LiteLLM warns of itself at its import.
pytestmark = pytest.mark.filterwarnings("ignore")

SCHEMA = {
    "type": "object",
    "description": "What the tide does.",
    "properties": {
        "place": {"type": "string", "minLength": 2, "description": "Name of the harbour."},
        "kind": {"type": "string", "enum": ["high", "low"]},
        "at": {"type": "string", "format": "date-time"},
        "depths": {"type": "array", "items": {"type": "number", "minimum": 0}, "maxItems": 3},
        "berth": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[A-Z]$"}, {"type": "null"}]},
        "harbour": {"$ref": "#/$defs/Harbour"},
    },
    "required": ["place", "kind"],
    "additionalProperties": False,
    "$defs": {
        "Harbour": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "lock": {"type": "boolean"}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}
SHOWN = {name: value for name, value in SCHEMA.items() if name != "description"}
FLAT = {
    **{name: value for name, value in SHOWN.items() if name != "$defs"},
    "properties": {**SCHEMA["properties"], "harbour": SCHEMA["$defs"]["Harbour"]},
}
GOOD = {
    **{"place": "Cork", "kind": "high", "at": "2026-11-21T07:00:00Z", "depths": [1.5, 2]},
    **{"berth": "A", "harbour": {"name": "Tivoli", "lock": True}},
}
WRONG = {**GOOD, "kind": "canary-kind", "harbour": {"lock": True}}
THINKING = {"thinking": {"budget_tokens": 2048}}


@dataclass(frozen=True)
class Way:
    """A way to a model, and the words on its wire.

    Attributes:
        base: Name of the blueprint's `model` in `House.base`.
        changes: Members of it that differ.
        wire: Whose words it speaks.
        schema: The schema that its model is shown.
        thinks: Whether the blueprint may ask the model to think.
    """

    base: str
    changes: dict[str, Any]
    wire: str
    schema: Any
    thinks: bool = True


WHOLE = {"stream": False}
NO_KEY = {"api_key_env": None}
WAYS = {
    "bedrock": Way("bedrock", {}, "bedrock", SHOWN),
    "bedrock, not streamed": Way("bedrock", WHOLE, "bedrock", SHOWN),
    "anthropic": Way("anthropic", {}, "anthropic", SHOWN),
    "vertex": Way("vertex", {}, "gemini", FLAT),
    "openai": Way("openai", {}, "openai", SHOWN, thinks=False),
    "openai, not streamed": Way("openai", WHOLE, "openai", SHOWN, thinks=False),
    "light client": Way("light", {}, "openai", SHOWN),
    "LiteLLM client": Way("litellm", {}, "openai", SHOWN),
    "LiteLLM client, not streamed": Way("litellm", WHOLE, "openai", SHOWN),
    "LiteLLM, anthropic/": Way("named", {}, "anthropic", SHOWN),
    "LiteLLM, anthropic/, not streamed": Way("named", WHOLE, "anthropic", SHOWN),
    "LiteLLM, openai/": Way("named", {"model_id": "openai/gpt-4o"}, "openai", SHOWN, thinks=False),
    "LiteLLM, bedrock/": Way(
        "named", {"model_id": "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", **NO_KEY}, "bedrock", FLAT
    ),
    "LiteLLM, gemini/": Way("named", {"model_id": "gemini/gemini-2.5-pro"}, "gemini", None),
}
"""Gemini's older subset, which LiteLLM writes, has a test of its own."""

FORCED = {
    "bedrock": lambda body: body["toolConfig"]["toolChoice"] == {"tool": {"name": "analysis"}},
    "anthropic": lambda body: body["tool_choice"] == {"type": "tool", "name": "analysis"},
    "openai": lambda body: body["tool_choice"] == {"type": "function", "function": {"name": "analysis"}},
    "gemini": lambda body: (
        body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowed_function_names": ["analysis"]}
    ),
}
TOOL = {
    "bedrock": lambda body: body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"],
    "anthropic": lambda body: body["tools"][0]["input_schema"],
    "openai": lambda body: body["tools"][0]["function"]["parameters"],
    "gemini": lambda body: _declaration(body).get("parameters_json_schema", _declaration(body).get("parameters")),
}
THINKS = {
    "bedrock": lambda body: "thinking" in body.get("additionalModelRequestFields", {}),
    "anthropic": lambda body: "thinking" in body,
    "openai": lambda body: "thinking" in body,
    "gemini": lambda body: "2048" in str(body["generationConfig"].get("thinkingConfig")),
}


def _declaration(body):
    (tool,) = body["tools"]
    (declaration,) = tool.get("functionDeclarations") or tool["function_declarations"]
    return declaration


@pytest.fixture
def serve(house, clock, tmp_path, monkeypatch):
    """Serves an agent that goes a way and answers by the schema; its model says these replies in turn."""
    monkeypatch.setenv("AWS_BEDROCK_RUNTIME_ENDPOINT", house.api.url)
    monkeypatch.setenv("GEMINI_API_BASE", house.api.url)
    running = []

    def start(way, *replies, schema=SCHEMA, **members):
        merged = {**house.base(way.base), **way.changes}
        model = {name: value for name, value in merged.items() if value is not None}
        handler = EquippedHandler(
            house.openai,
            house.manager,
            clock,
            tmp_path,
            {"analysis": schema},
            model=model,
            output_schema="analysis",
            **members,
        )
        running.append(handler)
        house.api.replies = list(replies)
        house.openai.script(model["model_id"].removeprefix("openai/"), *replies)
        return handler

    yield start
    for handler in running:
        handler.stop()


def sent(house):
    """The bodies of the model's calls."""
    return [request.body for request in (*house.api.requests, *house.openai.requests)]


def answering(*tries):
    """Replies with an answer each by the schema's tool."""
    return [
        Reply(text="", tool_calls=(ToolCall("analysis", one, id=f"call_{turn}"),)) for turn, one in enumerate(tries)
    ]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("way", WAYS)
def test_schema_is_shown_and_the_answer_comes_back(serve, house, way, accept):
    handler = serve(WAYS[way], *answering(GOOD))

    answer = handler.ask() if accept == "application/json" else handler.ask_streaming()[-1]

    assert answer["structured"] == GOOD
    assert json.loads(answer["result"]["content"][0]["text"]) == GOOD
    assert answer["stop_reason"] == "end_turn"
    (body,) = sent(house)
    if WAYS[way].schema is not None:
        assert TOOL[WAYS[way].wire](body) == WAYS[way].schema


@pytest.mark.parametrize("way", WAYS)
def test_model_that_talks_is_forced_without_thinking_and_mends_its_answer(serve, house, way):
    wire, thinks = WAYS[way].wire, WAYS[way].thinks
    replies = [Reply(text="High.", reasoning="They want the tide." if thinks else ""), *answering(WRONG, GOOD)]
    handler = serve(WAYS[way], *replies, **(THINKING if thinks else {}))

    answer = handler.ask()

    assert answer["structured"] == GOOD
    asked, forced, again = sent(house)
    assert FORCED[wire](forced)
    assert FORCED[wire](again)
    assert "canary-kind" in json.dumps(again)
    assert "is not one of ['high', 'low']" in json.dumps(again)
    if thinks:
        # Claude and its proxies refuse the pair; Gemini takes it.
        kept = wire == "gemini" and way == "vertex"
        assert [THINKS[wire](body) for body in (asked, forced, again)] == [True, kept, kept]


@pytest.mark.parametrize("way", WAYS)
def test_answer_that_never_fits_is_a_typed_failure_with_the_reason(serve, house, way, caplog):
    handler = serve(WAYS[way], *answering(WRONG), runtime={"max_iterations": 2})

    refused = handler.invoke({"prompt": "Hello"})

    error = refused.json()["error"]
    assert (refused.status_code, error["type"]) == (502, "structured_output_failed")
    assert "kind: breaks the schema's enum ['high', 'low']" in error["message"]
    assert "harbour: lacks name" in error["message"]
    assert "canary" not in refused.text + caplog.text
    assert len(sent(house)) == 2


@pytest.mark.parametrize(
    ("way", "refusal", "constrains"),
    [
        (
            Way("anthropic", {"model_id": "claude-that-is-not-forced"}, "anthropic", SHOWN),
            Reply(status=400, error='tool_choice: type "tool" and "any" are not supported for this model.'),
            lambda body: body["tool_choice"] == {"type": "none"} and "output_config" in body,
        ),
        (
            Way("bedrock", {"model_id": "vendor.model-that-is-not-forced"}, "bedrock", SHOWN),
            Reply(
                status=400,
                error="This model doesn't support the toolConfig.toolChoice.tool field.",
                headers={"x-amzn-errortype": "ValidationException"},
            ),
            lambda body: body["toolConfig"]["toolChoice"] == {"auto": {}} and "outputConfig" in body,
        ),
    ],
    ids=["anthropic", "bedrock"],
)
def test_model_that_takes_no_forced_tool_is_constrained_by_its_own_means(serve, house, way, refusal, constrains):
    handler = serve(way, Reply(text="High."), refusal, Reply(text=json.dumps(GOOD)))

    assert handler.ask()["structured"] == GOOD
    _, forced, constrained = sent(house)
    assert FORCED[way.wire](forced)
    assert constrains(constrained)


def test_gemini_by_litellm_is_shown_its_older_subset(serve, house):
    serve(WAYS["LiteLLM, gemini/"], *answering(GOOD)).ask()

    (body,) = sent(house)
    members = TOOL["gemini"](body)["properties"]
    assert members["kind"] == SCHEMA["properties"]["kind"]
    assert members["at"] == SCHEMA["properties"]["at"]
    assert members["harbour"]["properties"] == SCHEMA["$defs"]["Harbour"]["properties"]
    assert [part["type"] for part in members["berth"]["anyOf"]][:2] == ["integer", "string"]


def test_what_a_schema_cannot_say_there_is_said_in_words(serve, house):
    either = {"anyOf": [{"required": ["at"]}, {"required": ["depths"]}]}
    handler = serve(WAYS["anthropic"], *answering({"place": "Cork", "kind": "low"}, GOOD), schema={**SCHEMA, **either})

    assert handler.ask()["structured"] == GOOD
    first, second = sent(house)
    assert TOOL["anthropic"](first) == SHOWN
    assert '"anyOf":[{"required":["at"]},{"required":["depths"]}]' in first["tools"][0]["description"]
    assert "is not valid under any of the given schemas" in json.dumps(second["messages"])
