"""Rules over several fields of a model some of whose fields are wrong: pydantic would keep them for the next run.

The model is put together from its valid fields; a rule that asks for another finds no attribute, and says nothing.
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
    names = {str(path[0]) for path in wrong}
    yield from _apply(model, data, names)
    for name in sorted(names):
        inner = model_at(model, (name,))
        if inner and isinstance(data.get(name), dict):
            below = [path[1:] for path in wrong if path[0] == name]
            for fault in rules_on_valid_fields(inner, data[name], below):
                yield replace(fault, at=(name, *fault.at))


def _apply(model: type[StrictModel], data: Mapping[str, Any], wrong: set[str]) -> Iterator[Fault]:
    given = [name for name in model.model_fields if name in data and name not in wrong]
    partial = model.model_construct(**{name: _adapter(model, name).validate_python(data[name]) for name in given})
    for name in wrong:
        # model_construct has filled in the default, which is not what the user wrote.
        partial.__dict__.pop(name, None)
    for rule in model.RULES:
        try:
            yield from list(rule(partial))
        except AttributeError:
            continue


@cache
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    # Lax where the model is strict, and so the same: these values have passed the model's own check.
    field = model.model_fields[name]
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(kind)
