"""What does not fit a schema: in full for the model, which has to mend it, without the answer's content for others.

An answer may hold what its schema's author would never log. So a caller's error names the place and the rule of the
schema, both of which are the author's own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from agent_runtime.failures import InvocationError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as SchemaMismatch  # type: ignore[import-untyped]

MAX_FAULTS = 20

_KIND = "json_schema"
_LONGEST = 400
# Their texts are written by the user's own code, and may quote the answer.
_OWN_WORDS = ("value_error", "assertion_error")


class StructuredOutputError(InvocationError):
    """Raised when the agent ended without an answer that fits the blueprint's `output_schema`."""

    kind = "structured_output_failed"


def validation_error(title: str, mismatches: Iterable[SchemaMismatch]) -> ValidationError:
    """Makes what Strands tells the model of an answer that does not fit.

    Args:
        title: Name of the schema.
        mismatches: What `jsonschema` found.

    Returns:
        The error, with the safe wording of each fault beside the full one.
    """
    details: list[InitErrorDetails] = []
    for mismatch in list(mismatches)[:MAX_FAULTS]:
        context = {"message": _shortened(_full(mismatch)), "rule": _rule(mismatch)}
        details.append(
            InitErrorDetails(
                type=PydanticCustomError(_KIND, "{message}", context),
                loc=tuple(mismatch.absolute_path),
                input=mismatch.instance,
            )
        )
    return ValidationError.from_exception_data(title, details)


def member_names(schema: object) -> frozenset[str]:
    """Collects the names of members that a schema's author wrote; any other name is the answer's own.

    Args:
        schema: The schema.

    Returns:
        The names.
    """
    names: set[str] = set()
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            names.update(part.get("properties", ()))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return frozenset(names)


def reasons(error: ValidationError, known: frozenset[str]) -> str:
    """Words an error for callers and logs: places and rules, nothing of the answer.

    Args:
        error: What `validation_error` made, or a pydantic class of the user raised.
        known: Names of members that the schema's author wrote.

    Returns:
        The faults, separated by semicolons.
    """
    found = error.errors(include_url=False, include_input=False)[:MAX_FAULTS]
    return "; ".join(_reason(one, known) for one in found)


def _reason(one: Any, known: frozenset[str]) -> str:
    context = one.get("ctx") or {}
    if one["type"] == _KIND:
        rule = context["rule"]
    elif one["type"] in _OWN_WORDS or "error" in context:
        rule = "is refused by the schema's own check"
    else:
        rule = one["msg"][:1].lower() + one["msg"][1:]
    return f"{_place(one['loc'], known)}: {rule}"


def _place(location: tuple[int | str, ...], known: frozenset[str]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step if step in known else '*'}" for step in location]
    return _shortened("".join(steps).lstrip(".")) or "the answer"


def _full(mismatch: SchemaMismatch) -> str:
    from jsonschema.exceptions import best_match

    nearest = best_match([mismatch]) if mismatch.context else None
    if nearest is None or nearest is mismatch:
        return str(mismatch.message)
    place = "/".join(map(str, nearest.absolute_path)) or "the answer"
    return f"{mismatch.message}; nearest: {place}: {nearest.message}"


def _rule(mismatch: SchemaMismatch) -> str:
    keyword, value = str(mismatch.validator), mismatch.validator_value
    if mismatch.validator is None:  # the schema `false`
        return "is refused by the schema"
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        return "has members that the schema does not know"
    if keyword == "required":
        missing = [name for name in value if name not in mismatch.instance]
        return f"lacks {', '.join(missing)}"
    if isinstance(value, str | int | float | bool | list) and keyword not in ("anyOf", "oneOf", "allOf"):
        return _shortened(f"breaks the schema's {keyword} {value!r}")
    return f"breaks the schema's {keyword}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
