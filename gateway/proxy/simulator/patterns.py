"""Texts that match a regular expression."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_REPEATS = 4096
# Of a|b|c.
_MOST_WAYS = 4
_CLASSES = {
    op.CATEGORY_DIGIT: "0123456789",
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_WORD: "abcdefghijklmnopqrstuvwxyz0123456789_",
    op.CATEGORY_NOT_DIGIT: "abcdefghijklmnopqrstuvwxyz-. ",
    op.CATEGORY_NOT_SPACE: "abcdefghijklmnopqrstuvwxyz0123456789",
    op.CATEGORY_NOT_WORD: " -./:",
}
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_WIDTHLESS = (op.AT, op.ASSERT, op.ASSERT_NOT)
# The order of preference: a reader of a simulated answer sees letters before digits and signs.
_ALPHABET = (
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -_.,:;/@#+*!?()[]{}<>=&%$'\"\\|~^`\t\näéñßøλж中"
)


def matching_texts(pattern: str, *, shortest: int = 0, variant: int = 0) -> Iterator[str]:
    """Gives texts that an expression finds itself in, shortest first.

    Args:
        pattern: The expression, in the words that ECMA-262 and Python share.
        shortest: Length that a text should have.
        variant: Which of the characters that fit is taken; another gives another text where the expression allows it.

    Yields:
        Texts that match. None where the expression cannot be read or asks for what is not known here.
    """
    try:
        parsed, compiled = _parsed(pattern)
    except (re.error, RecursionError, OverflowError):
        return
    extras = sorted({0, 1, 2, 3, shortest // 2, max(0, shortest - 1), shortest})
    for way, extra in itertools.product(range(_MOST_WAYS), extras):
        writer = _Writer(extra, variant, way)
        text = writer.sequence(parsed)
        if text is None or (way and not writer.has_ways):
            return
        # Look-arounds and references are not written but checked here.
        if compiled.search(text):
            yield text


@lru_cache(maxsize=256)
def _parsed(pattern: str) -> tuple[Any, re.Pattern[str]]:
    return parser.parse(pattern), re.compile(pattern)


class _Writer:
    """Writes one text of an expression's parts."""

    def __init__(self, extra: int, variant: int, way: int) -> None:
        self._extra = extra
        self._variant = variant
        self._way = way
        self.has_ways = False
        self._groups: dict[int, str] = {}

    def sequence(self, parts: Any) -> str | None:
        """Writes parts one after the other; nothing where one is not known."""
        written = []
        for kind, argument in parts:
            text = self._part(kind, argument)
            if text is None:
                return None
            written.append(text)
        return "".join(written)

    def _part(self, kind: Any, argument: Any) -> str | None:
        if kind in _REPEATS:
            return self._repeat(*argument)
        if kind is op.SUBPATTERN:
            text = self.sequence(argument[-1])
            self._groups[argument[0]] = text or ""
            return text
        if kind is op.BRANCH:
            self.has_ways = True
            return self.sequence(argument[1][self._way % len(argument[1])])
        if kind is op.ATOMIC_GROUP:
            return self.sequence(argument)
        if kind is op.GROUPREF:
            return self._groups.get(argument, "")
        return "" if kind in _WIDTHLESS else self._character(kind, argument)

    def _character(self, kind: Any, argument: Any) -> str | None:
        if kind is op.LITERAL:
            return chr(argument)
        if kind is op.NOT_LITERAL:
            argument = [(op.NEGATE, None), (op.LITERAL, argument)]
        elif kind not in (op.ANY, op.IN):
            return None
        fitting = _ALPHABET if kind is op.ANY else _characters(argument)
        return fitting[self._variant % len(fitting)] if fitting else None

    def _repeat(self, least: int, most: int, parts: Any) -> str | None:
        times = min(least + self._extra, most, max(least, _MOST_REPEATS))
        text = self.sequence(parts)
        return text if text is None else text * times


def _characters(items: list[tuple[Any, Any]]) -> str:
    """The characters of a set, in the order of preference."""
    inside = "".join(_members(kind, argument) for kind, argument in items if kind is not op.NEGATE)
    if items and items[0][0] is op.NEGATE:
        return "".join(character for character in _ALPHABET if not _contains(items[1:], character))
    preferred = [character for character in _ALPHABET if character in inside]
    return "".join(preferred) or inside


def _members(kind: Any, argument: Any) -> str:
    if kind is op.LITERAL:
        return chr(argument)
    if kind is op.CATEGORY:
        return _CLASSES.get(argument, "")
    first, last = argument
    return "".join(map(chr, range(first, min(last, first + 256) + 1)))


def _contains(items: list[tuple[Any, Any]], character: str) -> bool:
    def holds(kind: Any, argument: Any) -> bool:
        if kind is op.CATEGORY:
            return character in _CLASSES.get(argument, "")
        first, last = argument if kind is op.RANGE else (argument, argument)
        return bool(first <= ord(character) <= last)

    return any(holds(kind, argument) for kind, argument in items)
