"""From a YAML document to a model, with every fault in the file's own terms: place, what is wrong, how to mend it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent_runtime.errors import InputError, Problem
from agent_runtime.partial import rules_on_valid_fields
from agent_runtime.quoting import looks_like_secret, shown
from agent_runtime.schema_walk import choices_at, field_at, known_keys
from agent_runtime.suggestions import did_you_mean, nearest
from agent_runtime.yaml_nodes import Document, MappingNode, Path, ScalarNode, SequenceNode, show_path
from agent_runtime.yaml_scalars import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails

    from agent_runtime.strict import Fault

ModelT = TypeVar("ModelT", bound=BaseModel)

_Words = tuple[str, str]
_NOTHING: Mapping[str, str] = {}
_INDEX = re.compile(r"\[\d+\]")


def validate(model: type[ModelT], document: Document, *, later: Mapping[str, str] = _NOTHING) -> ModelT:
    """Make a model of a document.

    Args:
        model: The schema.
        document: The file as read.
        later: Paths, such as `memory` or `tools[].a2a`, that the format knows and this version does not support, each
            with its hint.

    Returns:
        The validated model.

    Raises:
        InputError: The document breaks the schema; carries every problem, those of the reader included.
    """
    problems: list[Problem] = []
    data = document.data()
    try:
        validated = model.model_validate(data)
    except ValidationError as error:
        translator = _Translator(model, document, later)
        errors = error.errors(include_url=False)
        for details in errors:
            problems += translator.problems(details)
        for fault in rules_on_valid_fields(model, data, [details["loc"] for details in errors]):
            problems.append(translator.of_fault(fault, fault.at))
    # Where the schema has something to say of a value, that is the better message.
    told = {(problem.line, problem.column) for problem in problems}
    problems += [fault for fault in document.faults if (fault.line, fault.column) not in told]
    if problems:
        raise InputError(*sorted(set(problems)))
    return validated


class _Translator:
    """Puts pydantic's errors on one document into our words."""

    def __init__(self, model: type[BaseModel], document: Document, later: Mapping[str, str]) -> None:
        self._model = model
        self._document = document
        self._later = later

    def problems(self, details: ErrorDetails) -> list[Problem]:
        context = details.get("ctx", {})
        if details["type"] == "broken_rule":
            faults: list[Fault] = context["faults"]
            return [self.of_fault(fault, (*details["loc"], *fault.at)) for fault in faults]
        return [self._problem(details["type"], context, details["loc"])]

    def of_fault(self, fault: Fault, path: Path) -> Problem:
        return self._problem("broken_rule", {"fault": fault}, path)

    def _problem(self, kind: str, context: dict[str, Any], path: Path) -> Problem:
        if path[-1:] == ("[key]",):
            path = path[:-1]
            kind = "extra_forbidden" if kind == "literal_error" else kind
            place = self._document.key_place(path)
        elif kind in ("extra_forbidden", "missing"):
            place = self._document.key_place(path if kind == "extra_forbidden" else path[:-1])
        else:
            place = self._document.value_place(path)
        message, hint = self._words(kind, context, path)
        safe = tuple("..." if isinstance(step, str) and looks_like_secret(step) else step for step in path)
        return Problem(self._document.file, place.line, place.column, show_path(safe), message, hint)

    def _words(self, kind: str, context: dict[str, Any], path: Path) -> _Words:
        if kind == "broken_rule":
            return context["fault"].message, context["fault"].hint
        if kind in _TYPES:
            return self._wrong_type(kind, path)
        if kind in _LIMITS:
            return _LIMITS[kind](context) + self._found(path), self._purpose(path)
        by_path = {"extra_forbidden": self._unknown_key, "missing": self._missing, "literal_error": self._not_allowed}
        if kind in by_path:
            return by_path[kind](path)
        # Not raised by any field of today; pydantic's own words could hold the input.
        return f"is not valid ({kind.replace('_', ' ')})", self._purpose(path)

    def _unknown_key(self, path: Path) -> _Words:
        key = str(path[-1])
        hint = self._later.get(_INDEX.sub("[]", show_path(path)))
        if hint is not None:
            return f"{key} is not supported by this version", hint
        known = known_keys(self._model, path[:-1])
        # A key of the format in the wrong block: right word, wrong indentation.
        homes = [name for name in known_keys(self._model, ()) if key in known_keys(self._model, (name,))]
        if homes and nearest(key, known) is None:
            return f"unknown key {shown(key)}", f"it belongs to {' or '.join(homes)}"
        return f"unknown key {shown(key)}", did_you_mean(key, known)

    def _missing(self, path: Path) -> _Words:
        field = field_at(self._model, path)
        sample = field.examples[0] if field and field.examples else "..."
        if isinstance(sample, str) and not isinstance(resolve(sample), str):
            sample = f'"{sample}"'
        return f"{path[-1]} is missing", f"add {path[-1]}: {sample}"

    def _not_allowed(self, path: Path) -> _Words:
        allowed = choices_at(self._model, path)
        node = self._document.find(path)
        # The nearest number to a wrong number is no help.
        word = node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else ""
        guess = nearest(word, allowed) if word else None
        hint = f"allowed: {', '.join(allowed)}"
        return (
            f"is not one of the allowed values{self._found(path)}",
            f"did you mean {guess}? {hint}" if guess else hint,
        )

    def _wrong_type(self, kind: str, path: Path) -> _Words:
        wanted, hint = _TYPES[kind]
        node = self._document.find(path)
        if isinstance(node, ScalarNode) and node.value is None:
            field = field_at(self._model, path)
            hint = "write one" if field and field.is_required() else "write one, or remove the key"
            return f"has no value; it wants {wanted}", hint
        if kind == "string_type" and isinstance(node, ScalarNode):
            return self._unquoted(node, path)
        return f"wants {wanted}{self._found(path)}", hint

    def _unquoted(self, node: ScalarNode, path: Path) -> _Words:
        kind = "true or false" if isinstance(node.value, bool) else "a number"
        if self._is_private(path, node):
            return f"wants a text, found {kind}", "put it in quotes"
        return f"wants a text, found {kind}: {shown(node.text)}", f'put it in quotes: "{node.text}"'

    def _found(self, path: Path) -> str:
        node = self._document.find(path)
        if node is None or (isinstance(node, ScalarNode) and self._is_private(path, node)):
            return ""
        return f", found {_described(node)}"

    def _is_private(self, path: Path, node: ScalarNode) -> bool:
        names_variable = any(isinstance(step, str) and step.endswith("_env") for step in path)
        return names_variable or looks_like_secret(node.text)

    def _purpose(self, path: Path) -> str:
        # The description is written for the documentation and says what is allowed.
        while path:
            field = field_at(self._model, path)
            if field and field.description:
                return field.description.rstrip(".")
            path = path[:-1]
        return ""


def _described(node: MappingNode | SequenceNode | ScalarNode) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, SequenceNode) else shown(node.text)


def _at_least(number: int, things: str) -> str:
    return "must not be empty" if number == 1 else f"must have at least {number} {things}"


_TYPES: dict[str, _Words] = {
    "string_type": ("a text", "write a text"),
    "int_type": ("a whole number", "write digits only, without quotes"),
    "float_type": ("a number", "write a number such as 0.2, without quotes"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "list_type": ("a list", "write - item lines, or [item, item]"),
    "tuple_type": ("a list", "write - item lines, or [item, item]"),
    "mapping_type": ("a mapping", "write indented `key: value` lines"),
    "dict_type": ("a mapping", "write indented `key: value` lines"),
    "model_type": ("a mapping", "write indented `key: value` lines"),
    "model_attributes_type": ("a mapping", "write indented `key: value` lines"),
}
_LIMITS: dict[str, Callable[[dict[str, Any]], str]] = {
    "greater_than": lambda context: f"must be more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']:g}",
    "less_than": lambda context: f"must be less than {context['lt']:g}",
    "less_than_equal": lambda context: f"must be at most {context['le']:g}",
    "finite_number": lambda _: "must be a finite number",
    "string_too_short": lambda context: _at_least(context["min_length"], "characters"),
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "too_short": lambda context: _at_least(context["min_length"], "entries"),
    "too_long": lambda context: f"must have at most {context['max_length']} entries",
    "string_pattern_mismatch": lambda context: f"must match {context['pattern']}",
}
