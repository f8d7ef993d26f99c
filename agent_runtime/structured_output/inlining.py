"""Walking a JSON Schema, and putting what its `$ref`s name in their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

# Where a schema holds schemas; anything else in it is data, such as a default that looks like one.
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    *("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
)
_DEFINITIONS = "$defs"
# As many as 64 KiB can hold; a chain of definitions that each name the next one twice doubles with every link.
_MOST_PARTS = 10_000

Node = dict[str, Any]


class CyclicReferenceError(Exception):
    """Raised for a schema that contains itself.

    Attributes:
        reference: The `$ref` that closes the circle.
    """

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class TooLargeError(Exception):
    """Raised for a schema whose references, written out, are too many."""


def with_parts(node: Mapping[str, Any], change: Callable[[Any], Any]) -> Node:
    """Copies one schema with the schemas right below it changed.

    Args:
        node: The schema.
        change: Gives the new one for each schema below; that may be true or false.

    Returns:
        The copy; `$defs` are left as they are.
    """
    copy: Node = {}
    for name, value in node.items():
        if name in _MAPS and isinstance(value, Mapping):
            copy[name] = {key: change(part) for key, part in value.items()}
        elif name in _LISTS and isinstance(value, list):
            copy[name] = [change(part) for part in value]
        else:
            copy[name] = change(value) if name in _SINGLE else value
    return copy


def inlined(schema: Mapping[str, Any], *, keep_cycles: bool = False) -> Node:
    """Writes a schema without references.

    Args:
        schema: The schema; self-contained.
        keep_cycles: Whether a reference that leads back into itself stays, with the definitions.

    Returns:
        The schema. What stands beside a reference is added to what it names.

    Raises:
        CyclicReferenceError: It contains itself, and cycles are not kept.
        TooLargeError: It would be too large.
    """
    parts = 0
    kept: list[str] = []

    def written(node: Any, open_references: tuple[str, ...]) -> Any:
        nonlocal parts
        parts += 1
        if parts > _MOST_PARTS:
            raise TooLargeError
        if not isinstance(node, Mapping):
            return node
        reference = node.get("$ref")
        target = _target(schema, reference) if isinstance(reference, str) else None
        if target is None or not isinstance(reference, str):
            return with_parts(node, lambda part: written(part, open_references))
        if reference in (*open_references, "#"):
            if not keep_cycles:
                raise CyclicReferenceError(reference)
            if reference not in kept:
                kept.append(reference)
            return {"$ref": reference}
        rest = {name: value for name, value in node.items() if name != "$ref"}
        return {**written(target, (*open_references, reference)), **written(rest, open_references)}

    root = {name: value for name, value in schema.items() if name != _DEFINITIONS}
    whole: Node = written(root, ())
    for reference in kept:  # grows meanwhile: a definition may lead to another circle
        name = _unescaped(reference.removeprefix(f"#/{_DEFINITIONS}/"))
        if name in schema.get(_DEFINITIONS, {}):
            whole.setdefault(_DEFINITIONS, {})[name] = written(schema[_DEFINITIONS][name], (reference,))
    return whole


def _target(schema: Mapping[str, Any], reference: str) -> Mapping[str, Any] | None:
    """Follows a JSON pointer; None for what is no pointer, and for what is not there."""
    if reference == "#":
        return schema
    found: Any = schema
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(_unescaped(step)) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _unescaped(step: str) -> str:
    return unquote(step).replace("~1", "/").replace("~0", "~")
