"""A schema as each way to a model takes it, and what cannot be shown there, told at the blueprint's line."""

from __future__ import annotations

import pytest

from agent_runtime.blueprint import Model
from agent_runtime.errors import InputError
from agent_runtime.loader import load_blueprint
from agent_runtime.structured_output.dialects import NotShownError, dialect_of, shown_in
from stacks.user_code import find_import_faults

NODE = {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}
NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}
ADDRESS = {"base_url": "https://llm.example.com/v1"}
OF_WAYS = {
    "plain": [
        ("openai", "gpt-4o", {"api_key_env": "KEY"}),
        ("litellm", "gemini-2.5-pro", ADDRESS),
        ("litellm", "mistral/large", {}),
        ("bedrock", "meta.llama4-maverick-17b-instruct-v1:0", {}),
    ],
    "claude": [
        ("anthropic", "my-deployment", {"api_key_env": "KEY"}),
        ("bedrock", "eu.anthropic.claude-sonnet-4-5", {}),
        ("litellm", "anthropic/claude-sonnet-4-5", {}),
        ("litellm", "claude-sonnet-4-5", ADDRESS),
        ("litellm", "bedrock/invoke/eu.anthropic.claude-sonnet-4-5", {}),
    ],
    "gemini": [("vertex", "gemini-2.5-pro", {"api_key_env": "KEY"})],
    "nova": [("bedrock", "us.amazon.nova-pro-v1:0", {})],
    "gemini-by-litellm": [("litellm", "gemini/gemini-2.5-pro", {}), ("litellm", "vertex_ai/gemini-2.5-pro", {})],
    "converse-by-litellm": [
        ("litellm", "bedrock/eu.anthropic.claude-sonnet-4-5", {}),
        ("litellm", "eu.anthropic.claude-sonnet-4-5", {}),
    ],
    "nova-by-litellm": [("litellm", "bedrock/us.amazon.nova-pro-v1:0", {})],
}


def of(members, **more):
    """A schema with these members."""
    return {"type": "object", "properties": members, **more}


@pytest.mark.parametrize(
    ("dialect", "provider", "model_id", "more"),
    [(dialect, *way) for dialect, ways in OF_WAYS.items() for way in ways],
)
def test_dialect_follows_from_the_way_to_the_model(dialect, provider, model_id, more):
    model = Model(provider=provider, model_id=model_id, temperature=1, max_tokens=9, **more)

    assert dialect_of(model) == dialect


@pytest.mark.parametrize("dialect", OF_WAYS)
def test_schema_that_every_api_takes_is_shown_as_it_is(dialect):
    schema = of({"place": {"type": "string", "description": "A harbour."}}, required=["place"])

    shown = shown_in(dialect, schema)

    assert (shown.schema, shown.words) == (schema, "")


@pytest.mark.parametrize("dialect", OF_WAYS)
@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_combinations_at_the_root_are_put_into_words(dialect, keyword):
    schema = of({"a": {"type": "string"}, "b": {"type": "string"}}, **{keyword: [{"required": ["a"]}]})

    shown = shown_in(dialect, schema)

    assert keyword not in shown.schema
    assert f'"{keyword}":[{{"required":["a"]}}]' in shown.words


@pytest.mark.parametrize("dialect", ["gemini", "nova", "gemini-by-litellm", "converse-by-litellm", "nova-by-litellm"])
def test_definitions_are_written_in_place(dialect):
    schema = of({"at": {"$ref": "#/$defs/a~1b", "description": "Where."}}, **{"$defs": {"a/b": NAMED}})

    shown = shown_in(dialect, schema).schema

    assert "$defs" not in shown
    assert shown["properties"]["at"]["description"] == "Where."
    assert shown["properties"]["at"]["properties"] == NAMED["properties"]


@pytest.mark.parametrize("dialect", ["plain", "claude"])
def test_definitions_stay_where_they_are_understood(dialect):
    schema = of({"root": {"$ref": "#/$defs/Node"}}, **{"$defs": {"Node": NODE}})

    assert shown_in(dialect, schema).schema == schema


def test_recursion_stays_for_gemini_with_nothing_beside_the_reference():
    node = {**NODE, "properties": {"next": {"$ref": "#/$defs/Node", "description": "The next one."}}}
    shown = shown_in("gemini", of({"root": {"$ref": "#/$defs/Node"}}, **{"$defs": {"Node": node}})).schema

    assert shown["properties"]["root"]["properties"]["next"] == {"$ref": "#/$defs/Node"}
    assert shown["$defs"] == {"Node": {**node, "properties": {"next": {"$ref": "#/$defs/Node"}}}}


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ("nova", "Amazon Nova takes no recursion"),
        ("converse-by-litellm", "use provider: bedrock"),
        ("gemini-by-litellm", "use provider: vertex"),
    ],
)
@pytest.mark.parametrize("reference", ["#", "#/$defs/Node"])
def test_recursion_is_refused_where_it_would_be_lost(dialect, said, reference):
    node = {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": reference}}}}

    with pytest.raises(NotShownError) as refused:
        shown_in(dialect, of({"root": node}, **{"$defs": {"Node": node}}))

    assert said in f"{refused.value.message} ({refused.value.hint})"
    assert reference in refused.value.message


def test_nova_is_shown_three_keywords_at_the_root_and_told_the_rest():
    shown = shown_in("nova", of({"a": {"type": "string"}}, required=["a"], additionalProperties=False))

    assert set(shown.schema) == {"type", "properties", "required"}
    assert '"additionalProperties":false' in shown.words


def test_null_in_an_enum_is_kept_from_litellm():
    shown = shown_in("converse-by-litellm", of({"level": {"enum": [1, "high", None]}})).schema

    assert shown["properties"]["level"] == {"anyOf": [{"enum": [1, "high"]}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("member", "shown"),
    [
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": [1, 2]}, {"type": "integer", "description": "One of [1, 2]."}),
        ({"type": "string", "enum": ["a", None]}, {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
        (
            {"oneOf": [{"type": "integer"}, {"const": "none"}]},
            {"anyOf": [{"type": "integer"}, {"type": "string", "enum": ["none"]}]},
        ),
        (
            {"prefixItems": [{"type": "string"}], "items": False, "type": "array"},
            {"type": "array", "items": {"anyOf": [{"type": "string"}]}},
        ),
        ({"allOf": [{"type": "string"}], "description": "D."}, {"type": "string", "description": "D."}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "object"}),
    ],
)
def test_gemini_by_litellm_has_a_type_for_every_value(member, shown):
    written = shown_in("gemini-by-litellm", of({"m": member}))

    assert written.schema["properties"]["m"] == shown
    assert ("JSON Schema" in written.words) == (member != shown)


@pytest.mark.parametrize("member", [{}, True, {"not": {"type": "string"}}, {"description": "Anything."}])
def test_value_without_a_type_is_refused_where_it_would_become_an_object(member):
    with pytest.raises(NotShownError, match="takes a value without a type for an object"):
        shown_in("gemini-by-litellm", of({"m": member}))


def test_data_that_looks_like_a_schema_is_left_alone():
    member = {"type": "object", "properties": {"$ref": {"type": "string"}}, "default": {"$ref": "#/$defs/Node"}}

    assert shown_in("gemini", of({"m": member})).schema["properties"]["m"] == member


def test_schema_that_doubles_with_each_definition_is_refused_in_time():
    definitions = {
        f"d{turn}": of({"a": {"$ref": f"#/$defs/d{turn + 1}"}, "b": {"$ref": f"#/$defs/d{turn + 1}"}})
        for turn in range(40)
    }
    schema = of({"a": {"$ref": "#/$defs/d0"}}, **{"$defs": {**definitions, "d40": {"type": "string"}}})

    with pytest.raises(NotShownError, match="too large"):
        shown_in("gemini", schema)


BASE = """\
id: tide
name: Tide
version: 1.0.0
prompt_ref: tide
model: {{{model}, temperature: 1, max_tokens: 9}}
output_schema: {schema}
"""


@pytest.fixture
def write(tmp_path):
    """Writes a blueprint with this model and schema, and gives its path."""
    for name in ("agents", "prompts", "schemas", "tools"):
        (tmp_path / name).mkdir()
    (tmp_path / "prompts" / "tide.md").write_text("You know the tides.\n")
    (tmp_path / "schemas" / "umlaut.json").write_text('{"type": "object", "properties": {"größe": {"type": "string"}}}')
    (tmp_path / "tools" / "models.py").write_text(
        "from __future__ import annotations\nfrom pydantic import BaseModel\n\n\n"
        "class Node(BaseModel):\n    below: list[Node] = []\n"
    )

    def write_blueprint(model, schema):
        path = tmp_path / "agents" / "tide.yaml"
        path.write_text(BASE.format(model=model, schema=schema))
        return path

    return write_blueprint


def test_schema_that_cannot_be_shown_is_told_at_the_blueprints_line(write):
    path = write("provider: bedrock, model_id: eu.anthropic.claude-sonnet-4-5", "umlaut")

    with pytest.raises(InputError) as refused:
        load_blueprint(path)

    (problem,) = refused.value.problems
    assert (problem.line, problem.column, problem.path) == (6, 16, "output_schema")
    assert "Claude takes no member of the name 'größe' at the top" in problem.message
    assert "letters without accents" in problem.hint


def test_same_schema_is_taken_by_another_provider(write):
    load_blueprint(write("provider: openai, model_id: gpt-4o, api_key_env: KEY", "umlaut"))


def test_class_that_cannot_be_shown_is_told_at_synth(write, tmp_path):
    agent = load_blueprint(write("provider: litellm, model_id: gemini/gemini-2.5-pro", "'models:Node'"))

    (problem,) = find_import_faults([agent], tmp_path)

    assert problem.line == 6
    assert "models:Node cannot be shown to the model: it contains itself" in problem.message
    assert "use provider: vertex" in problem.message
