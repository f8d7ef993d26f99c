"""Whatever schema is asked for, the simulated answer fits it, and is the same each time."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import re
import uuid
from typing import Annotated, Literal

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from gateway.proxy.simulator.patterns import matching_texts
from gateway.proxy.simulator.schema_values import NoValueError, value_of

PATTERNS = (
    r"^[A-Z]{2}\d{3,}-(foo|bar)$",
    r"^\d{4}-\d{2}-\d{2}$",
    r"^[^\s@]+@[^\s@]+\.[a-z]{2,}$",
    r"^(?:https?://)[\w.-]+(?:/[\w-]*)*$",
    r"^#(?:[0-9a-fA-F]{3}){1,2}$",
    r"tide",
    r"^(a|b|c){2,5}?$",
    r"^.{3}$",
    r"^[^aeiou]+$",
    r"^(?=.*\d).*$|^\w{4}$",
    r"^\S+\s\S+$",
    r"^(\w)\1$",
    r"^$",
    r"^[\u4e00-\u9fff]+$",
)


def fits(schema, value):
    """Whether a value is valid, formats included."""
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    checker = jsonschema.FormatChecker()
    return kind(schema, format_checker=checker).is_valid(json.loads(json.dumps(value)))


# Small numbers: what is tried here is how words go together.
bounds = st.tuples(st.integers(-20, 20), st.integers(0, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))
sizes = st.tuples(st.integers(0, 4), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@st.composite
def numbers(draw):
    low, high = draw(bounds)
    schema = {"type": draw(st.sampled_from(["integer", "number"]))}
    match draw(st.integers(0, 4)):
        case 0:
            schema |= {"minimum": low, "maximum": high}
        case 1:
            schema |= {"exclusiveMinimum": low, "exclusiveMaximum": high + 2}
        case 2:
            schema |= {"exclusiveMinimum": low}
        case 3:
            schema |= {"multipleOf": draw(st.sampled_from([1, 2, 5, 7])), "minimum": low}
    return schema


@st.composite
def texts(draw):
    schema = {"type": "string"}
    match draw(st.integers(0, 3)):
        case 0:
            low, high = draw(sizes)
            schema |= {"minLength": low, "maxLength": high}
        case 1:
            schema["pattern"] = draw(st.sampled_from(PATTERNS))
        case 2:
            schema["format"] = draw(st.sampled_from(["date", "date-time", "email", "uuid", "ipv4", "ipv6", "uri"]))
    return schema


leaves = st.one_of(
    numbers(),
    texts(),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, True, {}]),
    st.lists(st.sampled_from(["red", 3, None, 2.5, True]), min_size=1, max_size=4, unique_by=repr).map(
        lambda values: {"enum": values}
    ),
    st.sampled_from(["fixed", 7, None, {"a": 1}, [1]]).map(lambda value: {"const": value}),
    st.just({"type": ["string", "null"]}),
)
names = st.sampled_from(["place", "height", "at", "tags", "a b", "ünï", "$dollar"])


@st.composite
def objects(draw, inner):
    properties = draw(st.dictionaries(names, inner, max_size=4))
    schema = {"type": "object", "properties": properties}
    schema["required"] = [name for name in properties if draw(st.booleans())]
    if draw(st.booleans()):
        schema["additionalProperties"] = False
    elif draw(st.booleans()):
        schema["minProperties"] = draw(st.integers(0, len(properties) + 2))
    return schema


@st.composite
def arrays(draw, inner):
    low, high = draw(sizes)
    schema = {"type": "array", "items": draw(inner), "minItems": low, "maxItems": high}
    if draw(st.booleans()):
        schema |= {"prefixItems": draw(st.lists(inner, min_size=1, max_size=3)), "maxItems": high + 3}
    return schema


def combined(inner):
    return st.one_of(
        objects(inner),
        arrays(inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        inner.map(lambda part: {"allOf": [part, {"title": "Both"}]}),
        inner.map(lambda part: {"oneOf": [part, {"type": "object", "required": ["never"], "maxProperties": 0}]}),
        objects(inner).map(lambda part: {"allOf": [part, {"type": "object", "description": "Too"}]}),
    )


schemas = st.recursive(leaves, combined, max_leaves=8)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(schemas)
def test_value_fits_its_schema_and_is_the_same_each_time(schema):
    value = value_of(schema)

    assert fits(schema, value), value
    assert value_of(schema) == value


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(schemas)
def test_references_lead_to_definitions_and_recursion_ends(schema):
    tree = {
        "$defs": {
            "leaf": schema,
            "node": {
                "type": "object",
                "properties": {
                    "leaf": {"$ref": "#/$defs/leaf"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["leaf", "next", "children"],
            },
        },
        "$ref": "#/$defs/node",
    }

    assert fits(tree, value_of(tree))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(PATTERNS), st.integers(0, 12))
def test_text_matches_its_pattern(pattern, shortest):
    found = list(matching_texts(pattern, shortest=shortest))

    assert found
    assert all(re.search(pattern, text) for text in found)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Berth(BaseModel):
    name: str = Field(min_length=30, max_length=40)
    inside: list[Berth] = []
    beside: Berth | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Report(BaseModel):
    count: int = Field(gt=3, lt=9, multiple_of=2)
    share: float = Field(gt=0, lt=1)
    colour: Colour
    day: datetime.date
    moment: datetime.datetime
    key: uuid.UUID
    numbers: set[int] = Field(min_length=3)
    code: str = Field(pattern=r"^[A-Z]{2}\d{3,}-(foo|bar)$", min_length=12)
    triple: tuple[int, str, bool]
    by_name: dict[str, int] = Field(min_length=2)
    berth: Berth
    either: int | list[Berth]
    price: decimal.Decimal
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


def test_model_of_pydantic_takes_the_value_that_is_made_of_its_schema():
    value = value_of(Report.model_json_schema())

    assert Report.model_validate_json(json.dumps(value)).triple[2] is True


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"],
         "if": {"properties": {"a": {"const": "x"}}}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
        {"type": "array", "items": {"type": "string", "maxLength": 3}, "uniqueItems": True, "minItems": 5},
        {"type": "array", "contains": {"type": "integer", "minimum": 5}, "minItems": 2},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3},
        {"type": "object", "patternProperties": {"^x-[0-9]+$": {"type": "integer"}}, "additionalProperties": False,
         "minProperties": 2},
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
         "dependentRequired": {"a": ["b"]}},
        {"not": {"type": "string"}},
        {"oneOf": [{"type": "integer", "multipleOf": 2}, {"type": "integer", "multipleOf": 3}]},
        {"allOf": [{"properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]},
                   {"properties": {"a": {"maximum": 3}, "b": {"type": "string"}}, "required": ["b"]}]},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["a"],
         "definitions": {"d": {"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "minItems": 2}},
         "properties": {"a": {"$ref": "#/definitions/d"}}},
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/properties/a"}},
         "required": ["b"]},
        {"type": "object", "required": ["undeclared"], "additionalProperties": {"type": "number"}},
        {"type": "string", "pattern": "^[a-z]+$", "minLength": 40, "maxLength": 41},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
        {"type": "number", "minimum": 0.25, "multipleOf": 0.25},
        {"examples": ["told"], "type": "string"},
        {"type": "integer", "default": 12, "maximum": 20},
    ],
)  # fmt: skip
def test_value_fits(schema):
    assert fits(schema, value_of(schema))


def test_what_the_author_of_a_schema_proposes_is_taken():
    assert value_of({"type": "string", "examples": ["Lisbon"]}) == "Lisbon"
    assert value_of({"type": "integer", "default": 12}) == 12
    # Unless it does not fit.
    assert value_of({"type": "integer", "default": "twelve"}) == 1


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"allOf": [{"const": 1}, {"const": 2}]},
        {"type": "object", "required": ["a"], "properties": {"a": False}},
        {"$ref": "#/$defs/absent"},
        {"$ref": "https://example.com/elsewhere.json"},
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
        {"type": "strin"},
        {"type": "string", "pattern": "["},
    ],
)
def test_schema_that_nothing_fits_is_told(schema):
    with pytest.raises(NoValueError):
        value_of(schema)
