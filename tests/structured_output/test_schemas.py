"""JSON Schema 2020-12, keyword by keyword: what fits and what does not; the model is shown the schema unchanged."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agent_runtime.structured_output import StructuredOutput, schema_of_json
from agent_runtime.structured_output.faults import member_names, reasons

TREE = {"$ref": "#/$defs/Node"}
DEFS = {
    "Node": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
        "required": ["name"],
        "additionalProperties": False,
    }
}
# The member's schema, values that fit, values that do not.
MATRIX = {
    "string": ({"type": "string"}, ["", "ü"], [1, None, ["a"]]),
    "integer": ({"type": "integer"}, [0, -3, 2.0], [1.5, "1", True]),
    "number": ({"type": "number"}, [1, 1.5], ["1.5", None, False]),
    "boolean": ({"type": "boolean"}, [True, False], [0, 1, "true"]),
    "null": ({"type": "null"}, [None], [0, ""]),
    "nullable": ({"type": ["string", "null"]}, [None, "a"], [1]),
    "enum of several types": ({"enum": [1, "a", None]}, [1, "a", None], [2, "b", False]),
    "const": ({"const": 5}, [5, 5.0], [6, "5"]),
    "length": ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab", "üüü"], ["a", "abcd"]),
    "pattern": ({"type": "string", "pattern": "^(?!x)[a-z]+$"}, ["abc"], ["xab", "1"]),
    "bounds": ({"type": "number", "minimum": 1, "exclusiveMaximum": 3}, [1, 2.9], [0.9, 3]),
    "multiple": ({"type": "integer", "multipleOf": 5}, [0, 10], [7]),
    "items": ({"type": "array", "items": {"type": "integer"}}, [[], [1, 2]], [["a"], [1, None], 1]),
    "size": ({"type": "array", "minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
    "unique": ({"type": "array", "uniqueItems": True}, [[1, "1"], [{}]], [[1, 1], [{"a": 1}, {"a": 1}]]),
    "tuple": ({"prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [[1], ["a", 1]]),
    "contains": ({"contains": {"const": 1}, "maxContains": 1}, [[1, 2]], [[2], [1, 1]]),
    "anyOf": ({"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 2}]}, [1, "ab"], ["a", None]),
    "oneOf": ({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}, [2, 3], [6, 7]),
    "allOf": ({"allOf": [{"minimum": 2}, {"maximum": 4}]}, [3], [1, 5]),
    "not": ({"type": "string", "not": {"const": "no"}}, ["yes"], ["no"]),
    "if": ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}}, ["ab", 2], ["a", 1]),
    "object": (
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False},
        [{"a": 1}],
        [{}, {"a": "1"}, {"a": 1, "b": 2}],
    ),
    "map": ({"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"x": 1}], [{"x": "1"}]),
    "patternProperties": (
        {"patternProperties": {"^n_": {"type": "number"}}, "additionalProperties": False},
        [{"n_a": 1}],
        [{"n_a": "1"}, {"other": 1}],
    ),
    "propertyNames": ({"propertyNames": {"maxLength": 2}}, [{"ab": 1}], [{"abc": 1}]),
    "dependentRequired": ({"dependentRequired": {"a": ["b"]}}, [{"b": 1}, {"a": 1, "b": 1}], [{"a": 1}]),
    "recursion": (TREE, [{"name": "a", "below": [{"name": "b", "below": []}]}], [{"name": "a", "below": [{}]}]),
    "anything": (True, [1, None, {"a": []}], []),
    "date": ({"type": "string", "format": "date"}, ["2026-02-28"], ["2026-02-30", "20260228", "28.2.2026"]),
    "date-time": (
        {"type": "string", "format": "date-time"},
        ["2026-11-21T07:00:00Z", "2026-11-21t07:00:00.5+01:00", "2016-12-31T23:59:60Z"],
        ["2026-11-21", "2026-11-21T07:00:00", "2026-13-21T07:00:00Z", "2026-11-21T25:00:00Z"],
    ),
    "time": ({"type": "string", "format": "time"}, ["07:00:00Z"], ["07:00", "25:00:00Z"]),
    "duration": ({"type": "string", "format": "duration"}, ["P1D", "PT5M", "P2W", "P1Y2M"], ["P", "PT", "1D"]),
    "uuid": (
        {"type": "string", "format": "uuid"},
        ["123e4567-e89b-12d3-a456-426614174000"],
        ["123e4567e89b12d3a456426614174000", "no"],
    ),
    "email": (
        {"type": "string", "format": "email"},
        ["ada@example.com", "a.b+c@mail.example.co"],
        ["ada", "ada@", "@example.com", "a b@example.com", ".a@example.com", "ada@localhost"],
    ),
    "uri": (
        {"type": "string", "format": "uri"},
        ["https://example.com/a?b=c#d", "urn:isbn:0451450523", "mailto:ada@example.com"],
        ["example.com", "/a", "https://", "https://example.com/a b", "https://example.com/%zz", "http://a:b/"],
    ),
    "hostname": ({"type": "string", "format": "hostname"}, ["a.example.com"], ["-a.com", "a..b", "a_b"]),
    "ipv4": ({"type": "string", "format": "ipv4"}, ["10.0.0.1"], ["10.0.0.256", "a"]),
    "format of a number": ({"format": "date"}, [5], ["5"]),
}


def of_member(schema):
    """A schema whose member `m` has this schema."""
    root = {"type": "object", "properties": {"m": schema}, "required": ["m"], "$defs": DEFS}
    return StructuredOutput(schema_of_json("matrix", root, "0" * 64))


@pytest.mark.parametrize("case", MATRIX)
def test_what_fits_is_given_back_unchanged(case):
    schema, fits, _ = MATRIX[case]
    model = of_member(schema).model

    for value in fits:
        answer = model(m=value).answer
        assert answer == {"m": value}
        assert type(answer["m"]) is type(value)


@pytest.mark.parametrize("case", MATRIX)
def test_what_does_not_fit_is_refused_at_its_place(case):
    schema, _, wrong = MATRIX[case]
    model = of_member(schema).model

    for value in wrong:
        with pytest.raises(ValidationError) as refused:
            model(m=value)
        assert all(fault["loc"][0] == "m" for fault in refused.value.errors()), value


@pytest.mark.parametrize("case", MATRIX)
def test_schema_reaches_the_model_unchanged(case):
    schema, _, _ = MATRIX[case]
    output = of_member(schema)

    assert output.model.model_json_schema()["properties"]["m"] == schema
    assert output.schema.schema["$defs"] == DEFS


def test_member_that_nothing_fits_is_refused():
    with pytest.raises(ValidationError) as refused:
        of_member(False).model(m=1)

    assert reasons(refused.value, frozenset("m")) == "the answer: is refused by the schema"


def test_every_fault_is_told_once():
    root = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["c"]}
    model = StructuredOutput(schema_of_json("matrix", root, "0" * 64)).model

    with pytest.raises(ValidationError) as refused:
        model(a="x", b=1)

    assert {fault["loc"] for fault in refused.value.errors()} == {(), ("a",), ("b",)}


def test_many_faults_are_bounded():
    root = {"type": "object", "additionalProperties": {"type": "integer"}}
    model = StructuredOutput(schema_of_json("matrix", root, "0" * 64)).model

    with pytest.raises(ValidationError) as refused:
        model(**{f"m{number}": "x" for number in range(500)})

    assert len(refused.value.errors()) == 20


def test_defaults_are_filled_in_at_any_depth_and_never_break_the_answer():
    root = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "default": "x"},
            "b": {"type": "object", "properties": {"c": {"default": [1]}}},
        },
    }
    check = schema_of_json("matrix", root, "0" * 64).check
    assert check({"b": {}}) == {"a": "x", "b": {"c": [1]}}

    root["maxProperties"] = 1
    check = schema_of_json("matrix", root, "0" * 64).check
    assert check({"b": {}}) == {"b": {}}


def test_members_of_any_name_are_taken():
    root = {"type": "object", "additionalProperties": True}
    model = StructuredOutput(schema_of_json("matrix", root, "0" * 64)).model
    sent = {"self": 1, "answer": 2, "model_config": 3, "__class__": 4, "_x": 5, "schema": 6, "": 7}

    assert model(**sent).answer == sent


@pytest.mark.parametrize(("name", "tool"), [("a.b.c", "a_b_c"), ("x" * 80, "x" * 64), ("plain-1", "plain-1")])
def test_name_is_one_that_providers_take(name, tool):
    assert schema_of_json(name, {"type": "object"}, "0" * 64).name == tool


def test_reasons_hold_the_schemas_words_and_none_of_the_answers():
    root = {
        "type": "object",
        "properties": {"m": {"type": "object", "additionalProperties": {"enum": ["a"]}}, "n": {"anyOf": [TREE]}},
        "$defs": DEFS,
    }
    output = StructuredOutput(schema_of_json("matrix", root, "0" * 64))

    with pytest.raises(ValidationError) as refused:
        output.model(m={"canary-name": "canary-value"}, n={"canary-other": 1})

    said = reasons(refused.value, member_names(root))
    assert "canary" not in said
    assert "m.*: breaks the schema's enum ['a']" in said
    assert "n: breaks the schema's anyOf" in said
