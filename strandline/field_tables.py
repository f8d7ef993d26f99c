"""Tables of the fields of a file, for its page of the documentation: made from the file's JSON Schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agent_runtime.schema_walk import field_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_REF = "#/$defs/"
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
    "maxProperties": "at most {}",
}
_NO_PATTERN = 60


def field_tables(root: type[BaseModel], schema: dict[str, Any], *, skip: str | None = None) -> list[str]:
    """Write a table for each block of a file.

    Args:
        root: The model of the file.
        schema: Its JSON Schema.
        skip: Start of the paths of blocks that have no table.

    Returns:
        Lines of Markdown.
    """
    lines: list[str] = []
    for path, model in _blocks(schema):
        if skip is not None and path.startswith(skip):
            continue
        lines += [f"### {f'`{path}`' if path else 'Top level'}", "", str(model["description"]), ""]
        lines += ["| Field | Type | Default | Example | Meaning |", "|---|---|---|---|---|"]
        lines += [_row(root, path, name, value, model, schema) for name, value in model["properties"].items()]
        lines.append("")
    return lines


def cell(text: str) -> str:
    """Write a text as a cell of a table."""
    return text.replace("\n", " ")


def _blocks(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through the models, each below the one that holds it."""
    waiting = [("", schema)]
    while waiting:
        path, model = waiting.pop(0)
        yield path, model
        inner = []
        for name, value in model["properties"].items():
            child, below = _model_of(value, schema)
            if child is not None:
                inner.append((f"{path}.{name}".removeprefix(".") + below, child))
        waiting = inner + waiting


def _model_of(value: dict[str, Any], schema: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """Find the model that a field holds, and what stands after the field's name on the way there."""
    for part in (value, *value.get("anyOf", ())):
        entries = part.get("additionalProperties")
        places = ((part, ""), (part.get("items", {}), "[]"), (entries if isinstance(entries, dict) else {}, ".<name>"))
        for place, below in places:
            model = schema["$defs"].get(place.get("$ref", "").removeprefix(_REF), {})
            if "properties" in model:
                return model, below
    return None, ""


def _row(
    root: type[BaseModel], path: str, name: str, value: dict[str, Any], model: dict[str, Any], schema: dict[str, Any]
) -> str:
    info = _field(root, f"{path}.{name}".removeprefix("."))
    required = name in model.get("required", ())
    default = "**required**" if required else _code(_default(value))
    example = _code(info.examples[0]) if info.examples else ""
    kind = _kind(value, schema)
    return f"| `{name}` | {cell(kind)} | {default} | {example} | {cell(info.description or '')} |"


def _field(model: type[BaseModel], path: str) -> FieldInfo:
    steps: list[str | int] = []
    for step in path.split("."):
        steps += [step.removesuffix("[]"), 0] if step.endswith("[]") else [step]
    found = field_at(model, tuple(steps))
    if found is None:
        raise LookupError(f"no field at {path}")
    return found


def _default(value: dict[str, Any]) -> object:
    if "$ref" in value:
        return "{}"
    default = value.get("default", {} if value.get("type") == "object" else None)
    return "none" if default is None else default


def _kind(value: dict[str, Any], schema: dict[str, Any]) -> str:
    parts = [part for part in value.get("anyOf", [value]) if part.get("type") != "null"]
    return " or ".join(_one_kind(part, schema) for part in parts)


def _one_kind(part: dict[str, Any], schema: dict[str, Any]) -> str:
    if "enum" in part or "const" in part:
        return " \\| ".join(f"`{one}`" for one in part.get("enum", [part.get("const")]))
    limits = [text.format(f"{part[key]:,}") for key, text in _LIMITS.items() if key in part]
    if "pattern" in part and len(part["pattern"]) <= _NO_PATTERN:
        limits.append(f"`{part['pattern'].replace('|', chr(92) + '|')}`")
    return ", ".join([_name_of_kind(part, schema), *limits])


def _name_of_kind(part: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in part:
        name = part["$ref"].removeprefix(_REF)
        return "mapping" if "properties" in schema["$defs"][name] else "any value"
    if part.get("type") == "array":
        return f"list of {_name_of_kind(part['items'], schema)}s"
    if part.get("type") == "object":
        return f"mapping of name to {_name_of_kind(part['additionalProperties'], schema)}"
    return {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}[part["type"]]


def _code(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text.replace('|', chr(92) + '|')}`" if text else '`""`'
