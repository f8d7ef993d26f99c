"""`${VAR}` and `${VAR:-default}` with the shell's meaning: an empty variable counts as unset for `:-`; defaults nest.

One pass: what a variable holds is taken as it is, so a `${...}` in it is never looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_OPENING = re.compile(r"\$\{([A-Z_][A-Z0-9_]{0,63})")
_MAX_NESTING = 10
_MEND = "write ${VAR} or ${VAR:-default}, with a name of capital letters, digits and '_'"


class ExpansionFault(Exception):
    """Raised when a text cannot be expanded.

    Attributes:
        message: What is wrong; names variables, never their values.
        hint: How to mend it.
    """

    def __init__(self, message: str, hint: str = _MEND) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Reference:
    """A `${...}`; `default` is the parsed text after `:-`, or nothing when there is none."""

    name: str
    default: _Template | None


_Template = tuple["str | _Reference", ...]


def holds_reference(text: str) -> bool:
    """Tell whether a text holds `${`."""
    return "${" in text


def check_form(text: str) -> None:
    """Make sure that every `${...}` of a text is one that we expand.

    Args:
        text: The text as written.

    Raises:
        ExpansionFault: One is not closed, has a bad name or another form of the shell's, such as `${VAR:?}`.
    """
    _parse(text)


def names_in(text: str) -> frozenset[str]:
    """Return the variables that a text names, those of its defaults included; nothing of a text that is malformed."""
    try:
        return frozenset(_names(_parse(text)))
    except ExpansionFault:
        return frozenset()


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Expand every `${...}` of a text.

    Args:
        text: The text as written.
        variables: Values by name.

    Returns:
        The text with the values in it.

    Raises:
        ExpansionFault: A variable is not set and has no default, or the text is malformed.
    """
    expanded = _filled(_parse(text), variables)
    if holds_reference(expanded):
        raise ExpansionFault("a variable's value holds ${...} itself, which is not expanded again", "write the value")
    return expanded


def expand_declared(text: str, names: Iterable[str], variables: Mapping[str, str]) -> str:
    """Expand the `${...}` of a text that name a declared variable, and leave every other as it is.

    Args:
        text: The text as written; a prompt may well explain a shell to a model.
        names: The declared variables.
        variables: Values by name.

    Returns:
        The text with the values in it.

    Raises:
        ExpansionFault: A declared variable is not set and has no default, or its reference is malformed.
    """
    declared = frozenset(names)
    parts: list[str] = []
    position = 0
    for match in _OPENING.finditer(text):
        # Inside a default that was taken over already, a reference is the default's.
        if match.start() < position or match.group(1) not in declared:
            continue
        parts.append(text[position : match.start()])
        reference, position = _parse_reference(text, match.start() + 2, nesting=0)
        parts.append(_value(reference, variables))
    return "".join([*parts, text[position:]])


def _filled(template: _Template, variables: Mapping[str, str]) -> str:
    return "".join(part if isinstance(part, str) else _value(part, variables) for part in template)


def _value(reference: _Reference, variables: Mapping[str, str]) -> str:
    value = variables.get(reference.name)
    if reference.default is not None:
        return value or _filled(reference.default, variables)
    if value is None:
        raise ExpansionFault(
            f"the variable {reference.name} is not set and has no default",
            f"set it in the environment's variables or in runtime.environment, or write ${{{reference.name}:-default}}",
        )
    return value


def _names(template: _Template) -> Iterator[str]:
    for part in template:
        if isinstance(part, _Reference):
            yield part.name
            yield from _names(part.default or ())


def _parse(text: str) -> _Template:
    template, end = _parse_from(text, 0, nesting=0)
    # Outside of a reference a brace is a character like any other, so the whole text was read.
    assert end == len(text)  # noqa: S101 - an invariant of the parser, not a check of input
    return template


def _parse_from(text: str, start: int, *, nesting: int) -> tuple[_Template, int]:
    """Read up to the end of the text or, inside a default, up to its closing brace."""
    if nesting > _MAX_NESTING:
        raise ExpansionFault(f"${{...}} nests deeper than {_MAX_NESTING} levels", "make it flatter")
    parts: list[str | _Reference] = []
    position = literal = start
    while position < len(text):
        if text.startswith("${", position):
            parts.append(text[literal:position])
            reference, position = _parse_reference(text, position + 2, nesting=nesting)
            parts.append(reference)
            literal = position
        elif nesting and text[position] == "}":
            break
        else:
            position += 1
    parts.append(text[literal:position])
    return tuple(part for part in parts if part != ""), position


def _parse_reference(text: str, start: int, *, nesting: int) -> tuple[_Reference, int]:
    name = _NAME.match(text, start)
    if name is None:
        raise ExpansionFault("holds a ${ that is not followed by the name of a variable")
    end = name.end()
    if text.startswith("}", end):
        return _Reference(name.group(), None), end + 1
    if not text.startswith(":-", end):
        raise ExpansionFault(f"holds a ${{{name.group()} that is neither closed nor followed by :-")
    default, end = _parse_from(text, end + 2, nesting=nesting + 1)
    if end == len(text):
        raise ExpansionFault(f"holds a ${{{name.group()}:- that is not closed")
    return _Reference(name.group(), default), end + 1
