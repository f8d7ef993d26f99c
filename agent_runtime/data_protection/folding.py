"""One spelling for what looks the same, so that a narrow space or a full-width digit hides nothing.

Models write phone and card numbers with narrow spaces (U+202F) and non-breaking hyphens (U+2011); Presidio's patterns
know neither.
"""

from __future__ import annotations

import unicodedata

_FULL_WIDTH = range(0xFF01, 0xFF5F)
_TO_ASCII = 0xFEE0
_TWINS = {
    "Cf": "",
    # Half of a pair, as models send when they break an emoji in two; spaCy takes UTF-8 only.
    "Cs": "\ufffd",
    "Pd": "-",
    "Zs": " ",
}


def fold(text: str) -> tuple[str, list[int]]:
    """Rewrites a text for the patterns.

    Args:
        text: As it was sent.

    Returns:
        The rewritten text, and for each of its characters and for its end the place in `text`.
    """
    if text.isascii():
        return text, list(range(len(text) + 1))
    folded: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        plain = character if character.isascii() else _plain(character)
        if plain:
            folded.append(plain)
            places.append(place)
    return "".join(folded), [*places, len(text)]


def _plain(character: str) -> str:
    """The ASCII twin of a character, or the character itself; empty for one that shows nothing."""
    category = unicodedata.category(character)
    if category in _TWINS:
        return _TWINS[category]
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if ord(character) in _FULL_WIDTH:
        return chr(ord(character) - _TO_ASCII)
    return character
