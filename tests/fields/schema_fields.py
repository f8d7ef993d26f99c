"""The fields of the blueprint's schema, and the values that each is changed to."""

from __future__ import annotations

import json
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import TypeAdapter, ValidationError

from agent_runtime.schema_walk import field_at, known_keys, model_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from agent_runtime.yaml_nodes import Path


def leaves(model: type[BaseModel], path: Path = ()) -> Iterator[Path]:
    """Every field that is not itself a block of fields; a list of blocks is walked at its first item."""
    for key in known_keys(model, path):
        place = (*path, key)
        inner = next((at for at in (place, (*place, 0)) if model_at(model, at)), None)
        if inner:
            yield from leaves(model, inner)
        else:
            yield place


def dotted(path: Path) -> str:
    """A field as people write it: `tools[].mcp.url`."""
    return ".".join("[]" if isinstance(step, int) else str(step) for step in path).replace(".[]", "[]")


def choices(model: type[BaseModel], path: Path) -> tuple[Any, ...]:
    """The values of a field that has few of them; empty for any other."""
    found = field_at(model, path)
    bare = [part for part in _parts(found.annotation if found else None) if part is not type(None)]
    if bare == [bool]:
        return (True, False)
    return get_args(bare[0]) if len(bare) == 1 and get_origin(bare[0]) is Literal else ()


def is_taken(model: type[BaseModel], path: Path, value: Any) -> bool:
    """Whether a field takes a value, whatever stands in the others."""
    found = field_at(model, path)
    assert found is not None
    kind: Any = Annotated[(found.annotation, *found.metadata)] if found.metadata else found.annotation
    try:
        # As JSON: there a list is what YAML has for a tuple, and nothing else is converted.
        TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return False
    return True


def other_values(model: type[BaseModel], path: Path, now: Any) -> list[Any]:
    """Values to change a field to: all of its choices, or its documentation's example, or the next number."""
    few = choices(model, path)
    if len(few) == 1:
        return [f"not-{few[0]}"]
    if few:
        return [value for value in few if value != now]
    found = field_at(model, path)
    assert found is not None
    examples = [yaml.safe_load(one) if isinstance(one, str) else one for one in found.examples or ()]
    numbers = [now + 1, now - 1] if isinstance(now, int | float) else []
    fitting = [one for one in (*examples, *numbers) if one != now and is_taken(model, path, one)]
    return fitting[:1]


def value_at(document: Any, path: Path) -> Any:
    """What a document says at a path; nothing where it says nothing."""
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def changed(document: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A document that says something else at a path."""
    step, *rest = path
    below = changed(_child(document, step), tuple(rest), value) if rest else value
    if isinstance(document, list):
        return [*document[:step], below, *document[step + 1 :]]
    return {**document, step: below}


def merged(*documents: dict[str, Any]) -> dict[str, Any]:
    """Documents laid over each other."""
    return reduce(_over, documents, {})


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {name: value for name, value in above.items() if isinstance(value, dict) and name in below}
    return {**below, **above, **{name: _over(below[name], value) for name, value in both.items()}}


def _child(document: Any, step: str | int) -> Any:
    if isinstance(document, list):
        return document[step] if step < len(document) else {}
    return document.get(step, {})


def _parts(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    return get_args(annotation) if type(None) in get_args(annotation) else (annotation,)
