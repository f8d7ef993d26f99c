"""Rules over several fields of a model some of whose fields are wrong: pydantic would keep them for the next run.

The model is put together from its valid fields, and so is every block and every item of a list in it; a rule that asks
for a field that is wrong finds no attribute, and says no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, TypeAdapter

from agent_runtime.schema_walk import model_at
from agent_runtime.strict import Fault, StrictModel

if TYPE_CHECKING:
    from agent_runtime.yaml_nodes import Path


def rules_on_valid_fields(model: type[BaseModel], data: Mapping[str, Any], wrong: Sequence[Path]) -> Iterator[Fault]:
    """Apply the rules of a model, and of the models in it, to what is valid of a document.

    Args:
        model: The model.
        data: What was validated.
        wrong: The places of the errors that pydantic found; a place that is the whole means that the rules were kept.

    Yields:
        The faults, with their paths from the model.
    """
    if () in wrong or not wrong or not issubclass(model, StrictModel):
        return
    within, others = _models_within(model, data, wrong)
    partial = _put_together(model, data, within, others)
    for rule in model.RULES:
        try:
            yield from rule(partial)
        except AttributeError:
            continue
    for place in sorted(within, key=lambda place: place[0]):
        inner, below = within[place]
        for fault in rules_on_valid_fields(inner, _at(data, place), below):
            yield replace(fault, at=(*place, *fault.at))


_Within = dict["Path", tuple[type[BaseModel], list["Path"]]]


def _models_within(
    model: type[BaseModel], data: Mapping[str, Any], wrong: Sequence[Path]
) -> tuple[_Within, frozenset[str]]:
    """Find the blocks and the items of lists in which something is wrong.

    Args:
        model: The model.
        data: What was validated.
        wrong: The places of the errors.

    Returns:
        Each place with its model and what is wrong there, and the names of fields that are wrong in another way.
    """
    within: _Within = {}
    others: set[str] = set()
    for path in wrong:
        name = str(path[0])
        value = data.get(name)
        place = path[:2] if isinstance(value, list) else path[:1]
        if place not in within:
            inner = model_at(model, place)
            # What is missing has a place too.
            if inner is None or name not in data or not isinstance(_at(data, place), dict):
                others.add(name)
                continue
            within[place] = (inner, [])
        within[place][1].append(path[len(place) :])
    return within, frozenset(others)


def _put_together(
    model: type[BaseModel], data: Mapping[str, Any], within: _Within, others: frozenset[str]
) -> BaseModel:
    """Put a model together from what is valid of it."""
    parts = {place: _inner(kind, _at(data, place), below) for place, (kind, below) in within.items()}
    names = {str(place[0]) for place in within}
    values: dict[str, Any] = {}
    for name in model.model_fields.keys() & data.keys() - others:
        value = data[name]
        if name not in names:
            values[name] = _adapter(model, name).validate_python(value)
        elif isinstance(value, list):
            values[name] = tuple(
                parts.get((name, index)) or _whole(model, name, item) for index, item in enumerate(value)
            )
        else:
            values[name] = parts[name,]
    whole = model.model_construct(**values)
    for name in others:
        # model_construct has filled in the default, which is not what the user wrote.
        whole.__dict__.pop(name, None)
    return whole


def _inner(model: type[BaseModel], data: Mapping[str, Any], wrong: Sequence[Path]) -> BaseModel:
    # Where only a rule is broken every field is valid.
    within, others = _models_within(model, data, [path for path in wrong if path])
    return _put_together(model, data, within, others)


def _whole(model: type[BaseModel], name: str, item: Any) -> Any:
    kind = model_at(model, (name, 0))
    return kind.model_validate(item) if kind else item


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


@cache
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    # Lax where the model is strict, and so the same: these values have passed the model's own check.
    field = model.model_fields[name]
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(kind)
