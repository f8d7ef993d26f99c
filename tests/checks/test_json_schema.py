"""The gate's own reading of JSON Schema says what `jsonschema` says, for every keyword that it holds."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from stacks.custom_resources.json_schema import NOT_HELD, find_faults

SCHEMAS = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 1}}},
    {"type": "object", "additionalProperties": False, "properties": {"a": {}, "b": {"type": ["string", "null"]}}},
    {"type": "object", "patternProperties": {"^a": {"type": "number"}}, "additionalProperties": {"type": "string"}},
    {"type": "object", "propertyNames": {"maxLength": 1}, "minProperties": 1, "maxProperties": 2},
    {"type": "object", "dependentRequired": {"a": ["b"]}},
    {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 2, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
    {"type": "array", "contains": {"const": 1}, "minContains": 1, "maxContains": 1},
    {"enum": [1, "a", None, [1], {"a": 1}]},
    {"const": {"a": [1, True]}},
    {"type": "string", "minLength": 1, "maxLength": 2, "pattern": "^[ab]+$"},
    {"exclusiveMinimum": 0, "exclusiveMaximum": 2, "maximum": 1.5, "multipleOf": 0.5},
    {"anyOf": [{"type": "string"}, {"minimum": 1}]},
    {"oneOf": [{"type": "number"}, {"type": "integer"}]},
    {"not": {"type": "string"}},
    {"if": {"type": "number"}, "then": {"minimum": 1}, "else": {"type": "string"}},
    {"allOf": [{"type": "object"}, {"required": ["a"]}]},
    {"$defs": {"n": {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"},
    {
        "$defs": {"x/y": {"$anchor": "x", "type": "null"}},
        "properties": {"a": {"$ref": "#x"}, "b": {"$ref": "#/$defs/x~1y"}},
    },
    True,
    False,
]
LEAVES = st.sampled_from([None, True, False, 0, 1, 1.0, 1.5, 2, -1, "", "a", "ab", "abc"])
NAMES = st.sampled_from(["a", "b", "ab"])
VALUES = st.recursive(LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3))


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@given(value=VALUES)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_value_fits_here_where_it_fits_there(schema, value):
    assert (find_faults(value, schema) == []) == Draft202012Validator(schema).is_valid(value)


def test_every_keyword_of_the_dialect_is_held_or_named_as_not_held():
    held = {name for schema in SCHEMAS if isinstance(schema, dict) for name in _names(schema)}
    known = set(Draft202012Validator.VALIDATORS)
    assert known - held - NOT_HELD == {"format"}  # an annotation
    assert not NOT_HELD & held


def _names(schema):
    if isinstance(schema, dict):
        yield from schema
        for below in schema.values():
            yield from _names(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _names(below)


def test_a_fault_names_its_place_and_not_the_value():
    schema = {"properties": {"tides": {"items": {"required": ["high"]}}}}
    assert find_faults({"tides": [{"high": 1}, {"low": "canary"}]}, schema) == ["answer.tides[1].high is missing"]
