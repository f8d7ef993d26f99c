"""Finding what a schema says about a path of a document: which keys are allowed there, and what a field is for."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from agent_runtime.yaml_nodes import Path


def model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """Return the model of the mapping at a path, or nothing when no model stands there."""
    annotation = _annotation_at(model, path)
    return annotation if _is_model(annotation) else None


def field_at(model: type[BaseModel], path: Path) -> FieldInfo | None:
    """Return the field that a path ends in, or nothing when it does not end in a model's field."""
    if not path:
        return None
    parent = model_at(model, path[:-1])
    return parent.model_fields.get(str(path[-1])) if parent else None


@lru_cache(maxsize=1024)  # asked for every unknown key of a file, and there may be thousands
def known_keys(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """Return the keys that are allowed in the mapping at a path; empty when any are."""
    parent = model_at(model, path)
    if parent:
        return tuple(parent.model_fields)
    annotation = _annotation_at(model, path)
    return _literals(_bare(get_args(annotation)[0])) if _is_mapping(annotation) else ()


def choices_at(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """Return the values that are allowed at a path; empty when the field is not a choice."""
    return _literals(_annotation_at(model, path))


def _annotation_at(model: type[BaseModel], path: Path) -> Any:
    # All items of a list are alike, and a file may have thousands in which something is wrong.
    return _annotation_of_any(model, tuple(0 if isinstance(step, int) else step for step in path))


@lru_cache(maxsize=1024)
def _annotation_of_any(model: type[BaseModel], path: Path) -> Any:
    annotation: Any = model
    for step in path:
        annotation = _below(annotation, step)
    return annotation


def _literals(annotation: Any) -> tuple[str, ...]:
    return tuple(map(str, get_args(annotation))) if get_origin(annotation) is Literal else ()


def _below(annotation: Any, step: str | int) -> Any:
    if _is_model(annotation):
        field = annotation.model_fields.get(str(step))
        return _bare(field.annotation) if field else None
    if get_origin(annotation) is None:
        return None
    arguments = get_args(annotation)
    return _bare(arguments[1] if _is_mapping(annotation) else arguments[0])


def _bare(annotation: Any) -> Any:
    """Take away Annotated and `| None`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _bare(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return _bare(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)
