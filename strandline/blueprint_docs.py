"""The tables of `docs/blueprint.md`: every field of a blueprint, made from its JSON Schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_runtime.blueprint import Blueprint
from agent_runtime.later import LATER_FIELDS
from strandline.blueprint_schema import blueprint_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

START = "<!-- fields: written by `strandline schema --markdown` -->"
END = "<!-- end of fields -->"

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


def blueprint_tables() -> str:
    """Write the tables.

    Returns:
        Markdown: one table for each block of a blueprint, and one of what is refused by name.
    """
    schema = blueprint_schema()
    lines = [START, ""]
    for path, model in _blocks(schema):
        lines += [f"### {f'`{path}`' if path else 'Top level'}", "", str(model["description"]), ""]
        lines += ["| Field | Type | Default | Example | Meaning |", "|---|---|---|---|---|"]
        lines += [_row(path, name, value, model, schema) for name, value in model["properties"].items()]
        lines.append("")
    lines += ["### Refused by name", "", "Fields of the published format that this version does not support.", ""]
    lines += ["| Field | What to do |", "|---|---|"]
    lines += [f"| `{path}` | {_cell(hint)} |" for path, hint in sorted(LATER_FIELDS.items())]
    return "\n".join([*lines, "", END])


def with_tables(page: str) -> str:
    """Put the tables into a page.

    Args:
        page: Markdown that holds the two marks.

    Returns:
        The page with the tables of today between them.
    """
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return before + blueprint_tables() + after


def _blocks(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through the models, each below the one that holds it."""
    waiting = [("", schema)]
    while waiting:
        path, model = waiting.pop(0)
        yield path, model
        inner = []
        for name, value in model["properties"].items():
            child, in_list = _model_of(value, schema)
            if child is not None:
                inner.append((f"{path}.{name}".removeprefix(".") + ("[]" if in_list else ""), child))
        waiting = inner + waiting


def _model_of(value: dict[str, Any], schema: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    for part in (value, *value.get("anyOf", ())):
        for place, in_list in ((part, False), (part.get("items", {}), True)):
            model = schema["$defs"].get(place.get("$ref", "").removeprefix(_REF), {})
            if "properties" in model:
                return model, in_list
    return None, False


def _row(path: str, name: str, value: dict[str, Any], model: dict[str, Any], schema: dict[str, Any]) -> str:
    info = _field(f"{path}.{name}".removeprefix("."))
    required = name in model.get("required", ())
    default = "**required**" if required else _code(_default(value))
    example = _code(info.examples[0]) if info.examples else ""
    kind = _kind(value, schema)
    return f"| `{name}` | {_cell(kind)} | {default} | {example} | {_cell(info.description or '')} |"


def _field(path: str) -> FieldInfo:
    from agent_runtime.schema_walk import field_at

    model: type[BaseModel] = Blueprint
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


def _cell(text: str) -> str:
    return text.replace("\n", " ")


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(with_tables(file.read_text(encoding="utf-8")), encoding="utf-8")
