"""The JSON Schema of blueprints, for editors: made from the models, so that it cannot say anything else."""

from __future__ import annotations

import json
from typing import Any

from agent_runtime.blueprint import Blueprint
from agent_runtime.errors import InputError
from agent_runtime.overlays import OVERLAYS
from agent_runtime.yaml_reader import parse_yaml

TITLE = "Strandline agent blueprint"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DEFINITIONS = "$defs"
_PREFIX = f"#/{_DEFINITIONS}/"
_OVERLAY = "Overlay"
_NOT_OVERLAID = ("id", OVERLAYS)


def blueprint_schema() -> dict[str, Any]:
    """Make the JSON Schema of a blueprint.

    Returns:
        The schema, with what an overlay may say: the same fields, none of them required.
    """
    schema = Blueprint.model_json_schema()
    definitions: dict[str, Any] = schema[_DEFINITIONS]
    for part in (schema, *definitions.values()):
        tidy(part)
    root = {key: value for key, value in schema.items() if key != _DEFINITIONS}
    overlay = {**root, "properties": {k: v for k, v in root["properties"].items() if k not in _NOT_OVERLAID}}
    definitions[_OVERLAY] = _partial(overlay, definitions)
    schema["properties"][OVERLAYS]["additionalProperties"] = {"$ref": _PREFIX + _OVERLAY}
    return {"$schema": DIALECT, **schema, "title": TITLE}


def blueprint_schema_text() -> str:
    """Write the schema as its file holds it."""
    return json.dumps(blueprint_schema(), indent=2, ensure_ascii=False) + "\n"


def _partial(model: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Make the schema of a part of a model: mappings are merged, so none of their keys is required."""
    properties = {name: _partial_value(value, definitions) for name, value in model["properties"].items()}
    kept = {key: value for key, value in model.items() if key != "required"}
    return {**kept, "title": f"{model['title']}{_OVERLAY}", "properties": properties}


def _partial_value(value: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in value:
        return {**value, "anyOf": [_partial_value(one, definitions) for one in value["anyOf"]]}
    name = value.get("$ref", "").removeprefix(_PREFIX)
    # Lists replace, so what stands in them is whole: only what a mapping leads to is made partial.
    if "properties" not in definitions.get(name, {}):
        return value
    partial = f"{name}{_OVERLAY}"
    if partial not in definitions:
        definitions[partial] = _partial(definitions[name], definitions)
    return {**value, "$ref": _PREFIX + partial}


def tidy(model: dict[str, Any]) -> None:
    """Turn examples that are written as YAML, as people will write them, into values, and drop names made of names."""
    for value in model.get("properties", {}).values():
        value.pop("title", None)
        for pattern, kind in value.pop("patternProperties", {}).items():
            # A key that fits no pattern would pass.
            value |= {"propertyNames": {"pattern": pattern}, "additionalProperties": kind}
        if "examples" in value and value.get("type") != "string":
            value["examples"] = [_example(one) for one in value["examples"]]


def _example(example: object) -> object:
    if not isinstance(example, str) or example[:1] not in "{[":
        return example
    try:
        return parse_yaml(f"example: {example}\n".encode(), "example").data()["example"]
    except InputError as error:
        raise ValueError(f"the example {example} is no YAML") from error
