"""Guessing what a user meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHORT = 3  # letters that an abbreviation such as prod has at least


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that a misspelt one is most likely to mean.

    Args:
        word: The word as written.
        known: The words that are allowed.

    Returns:
        The nearest, or nothing when none is near.
    """
    words = sorted(known)
    lowered = word.lower().replace("-", "_")
    # difflib's ratio rejects one wrong letter in a word as short as `id`.
    for candidate in words:
        if _one_edit_apart(lowered, candidate.lower().replace("-", "_")):
            return candidate
    longer = [candidate for candidate in words if len(lowered) >= _SHORT and candidate.startswith(lowered)]
    return longer[0] if len(longer) == 1 else next(iter(get_close_matches(word, words, n=1)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Write the hint for an unknown word: the nearest known one, and what is allowed."""
    words = sorted(known)
    allowed = f"allowed: {', '.join(words)}" if words else "nothing is allowed here"
    guess = nearest(word, words)
    return f"did you mean {guess}? {allowed}" if guess else allowed


def _one_edit_apart(one: str, other: str) -> bool:
    """Tell whether one letter inserted, removed or changed, or two swapped, makes the words equal."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    tail, other_tail = one[start:], other[start:]
    swapped = tail[1:2] + tail[:1] + tail[2:]
    return other_tail in (tail, tail[1:], swapped) or other_tail[1:] in (tail, tail[1:])
