"""Holds a value to a JSON Schema 2020-12 with the standard library alone ("JSON Schema Validation", json-schema.org).

A function of a deployment carries no `jsonschema`. What stands in `NOT_HELD` is refused at synth rather than passed
over (`stacks/check_plan.py`); `format` is an annotation here, as 2020-12 has it by default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

NOT_HELD = frozenset({"$dynamicRef", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"})
"""Keywords that this does not hold a value to."""

_Faults = Iterator[str]


def find_faults(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """Finds what of a value does not fit a schema.

    Args:
        value: Decoded JSON.
        schema: The schema; its references lead into itself.

    Returns:
        Each fault with its place, and without the value.
    """
    return list(_faults(value, schema, schema, "answer"))


def _faults(value: Any, schema: Any, root: Mapping[str, Any], at: str) -> _Faults:
    if isinstance(schema, bool):
        if not schema:
            yield f"{at} is not allowed"
        return
    if "$ref" in schema:
        yield from _faults(value, _resolved(schema["$ref"], root), root, at)
    yield from _of_any(value, schema, at)
    yield from _combined(value, schema, root, at)
    if isinstance(value, dict):
        yield from _of_object(value, schema, root, at)
    elif isinstance(value, list):
        yield from _of_array(value, schema, root, at)
    elif isinstance(value, str):
        yield from _of_text(value, schema, at)
    elif _is_number(value):
        yield from _of_number(value, schema, at)


def _fits(value: Any, schema: Any, root: Mapping[str, Any]) -> bool:
    return next(_faults(value, schema, root, ""), None) is None


def _of_any(value: Any, schema: Mapping[str, Any], at: str) -> _Faults:
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_TYPES[kind](value) for kind in kinds):
        yield f"{at} is no {' or '.join(kinds)}"
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        yield f"{at} is none of the allowed values"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{at} is not the one allowed value"


def _combined(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> _Faults:
    for one in schema.get("allOf", ()):
        yield from _faults(value, one, root, at)
    if "anyOf" in schema and not any(_fits(value, one, root) for one in schema["anyOf"]):
        yield f"{at} fits none of anyOf"
    if "oneOf" in schema and sum(_fits(value, one, root) for one in schema["oneOf"]) != 1:
        yield f"{at} does not fit exactly one of oneOf"
    if "not" in schema and _fits(value, schema["not"], root):
        yield f"{at} fits what it must not"
    if "if" in schema:
        yield from _faults(value, schema.get("then" if _fits(value, schema["if"], root) else "else", True), root, at)


def _of_object(value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> _Faults:
    needed = dict.fromkeys(schema.get("required", ()))
    for name, others in schema.get("dependentRequired", {}).items():
        needed |= dict.fromkeys(others if name in value else ())
    yield from (f"{at}.{name} is missing" for name in needed if name not in value)
    if len(value) < schema.get("minProperties", 0) or len(value) > schema.get("maxProperties", math.inf):
        yield f"{at} has {len(value)} members"
    own, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, member in value.items():
        schemas = [own[name]] if name in own else []
        schemas += [one for pattern, one in patterns.items() if re.search(pattern, name)]
        for one in schemas or [schema.get("additionalProperties", True)]:
            yield from _faults(member, one, root, f"{at}.{name}")
        if not _fits(name, schema.get("propertyNames", True), root):
            yield f"{at}.{name} has a name that is not allowed"


def _of_array(value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> _Faults:
    if len(value) < schema.get("minItems", 0) or len(value) > schema.get("maxItems", math.inf):
        yield f"{at} has {len(value)} items"
    if schema.get("uniqueItems") and any(_same(one, other) for i, one in enumerate(value) for other in value[:i]):
        yield f"{at} holds an item twice"
    first = schema.get("prefixItems", ())
    for index, item in enumerate(value):
        rule = first[index] if index < len(first) else schema.get("items", True)
        yield from _faults(item, rule, root, f"{at}[{index}]")
    if "contains" in schema:
        found = sum(_fits(item, schema["contains"], root) for item in value)
        if found < schema.get("minContains", 1) or found > schema.get("maxContains", math.inf):
            yield f"{at} holds {found} of the items that it must hold"


def _of_text(value: str, schema: Mapping[str, Any], at: str) -> _Faults:
    if len(value) < schema.get("minLength", 0) or len(value) > schema.get("maxLength", math.inf):
        yield f"{at} has {len(value)} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at} does not match its pattern"


def _of_number(value: float, schema: Mapping[str, Any], at: str) -> _Faults:
    if value < schema.get("minimum", -math.inf) or value <= schema.get("exclusiveMinimum", -math.inf):
        yield f"{at} is too small"
    if value > schema.get("maximum", math.inf) or value >= schema.get("exclusiveMaximum", math.inf):
        yield f"{at} is too large"
    if "multipleOf" in schema:
        times = value / schema["multipleOf"]
        if not math.isclose(times, round(times), rel_tol=1e-9):
            yield f"{at} is no multiple of {schema['multipleOf']}"


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    """A reference into the schema, by JSON Pointer (RFC 6901) or by `$anchor`."""
    pointer = reference.removeprefix("#")
    if pointer and not pointer.startswith("/"):
        return next(part for part in parts_of(root) if part.get("$anchor") == pointer)
    found: Any = root
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        found = found[int(key)] if isinstance(found, list) else found[key]
    return found


def parts_of(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Walks through every object of a schema, itself first."""
    if isinstance(schema, Mapping):
        yield schema
    for below in schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ():
        yield from parts_of(below)


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON, where true is not 1 though 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
