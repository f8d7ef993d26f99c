"""From what `output_schema` names to a schema with a check: a JSON Schema file, or a pydantic class of the user."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agent_runtime.errors import InputError
from agent_runtime.structured_output.json_schema import JsonSchemaCheck

# What every provider takes as the name of a tool.
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64
# What says nothing about an answer; some providers refuse a schema that has them.
_FOR_TOOLS_ONLY = ("$schema", "$id", "$comment", "title", "description", "examples")


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """What an answer must be.

    Attributes:
        name: Name of the tool by which the model answers.
        description: What the answer is, for the model.
        schema: JSON Schema that the model is shown.
        sha256: Hash of the schema as its author wrote it, in hexadecimal, to report which schema an answer fits.
        check: Takes what the model sent and gives the answer as plain JSON; raises pydantic's `ValidationError`.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    sha256: str
    check: Callable[[dict[str, Any]], Any]


def schema_of_json(name: str, schema: Mapping[str, Any], sha256: str) -> AnswerSchema:
    """Takes a JSON Schema.

    Args:
        name: Name of its file, without `.json`.
        schema: The schema, checked when the blueprint was loaded: 2020-12, self-contained, of an object.
        sha256: Its hash.

    Returns:
        The schema with its check.
    """
    return AnswerSchema(
        name=_tool_name(name),
        description=str(schema.get("description") or schema.get("title") or f"The answer, as {name}."),
        schema=shown_schema(schema),
        sha256=sha256,
        check=JsonSchemaCheck(name, schema),
    )


def schema_of_class(reference: str, found: object) -> AnswerSchema:
    """Takes a pydantic class of the user's code.

    Args:
        reference: `module:Class`, for messages.
        found: What stands there.

    Returns:
        The schema with its check.

    Raises:
        InputError: It is no pydantic model, or none of an object.
    """
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise InputError(f"output_schema {reference} is no class of pydantic: write class ...(pydantic.BaseModel).")
    model: type[BaseModel] = found
    schema = _with_plain_root(model.model_json_schema())
    if schema.get("type") != "object":
        raise InputError(f"output_schema {reference} does not describe an object: models answer with one.")

    def check(answer: dict[str, Any]) -> Any:
        # As JSON: a strict model takes a date from a text then, and nothing that JSON does not know.
        return model.model_validate_json(json.dumps(answer)).model_dump(mode="json", by_alias=True)

    canonical = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return AnswerSchema(
        name=_tool_name(model.__name__),
        description=(model.__doc__ or f"The answer, as {model.__name__}.").strip(),
        schema=shown_schema(schema),
        sha256=hashlib.sha256(canonical.encode()).hexdigest(),
        check=check,
    )


def shown_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the schema as the model is shown it: the author's own, without what belongs to its file."""
    return {"type": "object", **{key: value for key, value in schema.items() if key not in _FOR_TOOLS_ONLY}}


def _with_plain_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Puts the root of a recursive class where the providers look for it: pydantic writes a reference there."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    definitions = schema["$defs"]
    return {**definitions[reference.rpartition("/")[2]], "$defs": definitions}


def _tool_name(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME]
