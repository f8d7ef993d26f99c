"""Holds an answer to a JSON Schema 2020-12."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime.structured_output.faults import MAX_FAULTS, validation_error
from agent_runtime.structured_output.formats import format_checker

if TYPE_CHECKING:
    from collections.abc import Mapping


class JsonSchemaCheck:
    """Checks answers; for any thread.

    Args:
        name: Name of the schema, for the model.
        schema: The schema; self-contained.
    """

    def __init__(self, name: str, schema: Mapping[str, Any]) -> None:
        from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
        from referencing import Registry

        self._name = name
        # A registry that knows nothing: a reference out of the schema fails instead of being fetched.
        self._validator = Draft202012Validator(schema, registry=Registry(), format_checker=format_checker())

    def __call__(self, answer: dict[str, Any]) -> Any:
        """Checks an answer.

        Args:
            answer: What the model sent.

        Returns:
            The answer with the defaults of members that it leaves out.

        Raises:
            ValidationError: The answer does not fit; carries every fault, the first `MAX_FAULTS` of them.
        """
        faults = sorted(self._validator.iter_errors(answer), key=lambda fault: [str(step) for step in fault.path])
        if faults:
            raise validation_error(self._name, faults[:MAX_FAULTS])
        filled = _filled(answer, self._validator.schema)
        return filled if self._validator.is_valid(filled) else answer


def _filled(answer: Any, schema: Any) -> Any:
    """Fills in defaults along `properties`, in which alone it is plain whose default holds."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(answer, dict) or not isinstance(properties, dict):
        return answer
    filled = {name: _filled(value, properties.get(name)) for name, value in answer.items()}
    for name, member in properties.items():
        if name not in filled and isinstance(member, dict) and "default" in member:
            filled[name] = member["default"]
    return filled
