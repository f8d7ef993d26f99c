"""Where a text may be cut without cutting an entity in two.

A pattern entity that runs over several words (a card, a phone number, an IBAN) is made of digits and capitals. So a
gap between two words that have no digit, and that are not all capitals, lies outside any entity: a safe boundary.

Where to cut is decided by the text alone, never by how it came in pieces. That makes the filtered stream the same text
for every way of cutting the stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SEPARATORS = "\\s、。，：；！？「」『』（）【】"  # noqa: RUF001 - the punctuation of Chinese and Japanese, which has no spaces
_GAP = re.compile(f"[{_SEPARATORS}]+")
_WORD = re.compile(f"[^{_SEPARATORS}]+")
_END_OF_SENTENCE = re.compile("[.!?:;][\"')\\]*_]*$|[。！？\\n]")  # noqa: RUF001
# No word of a language is longer; a longer run of characters is data.
_LONGEST_WORD = 48


@dataclass(frozen=True, slots=True)
class Segmentation:
    """How a text is cut into segments that are filtered one by one.

    Attributes:
        shortest: Characters that a segment has before a boundary is looked for.
        longest: Characters after which a segment is cut where there is no boundary.
        overlap: Characters before such a forced cut that are seen again with what follows; a longer entity is not
            found there for certain.
        sentences: Cut between sentences only, as a language model needs.
    """

    shortest: int
    longest: int
    overlap: int
    sentences: bool = False

    def next_cut(self, text: str, *, final: bool, after: int = 0) -> tuple[int | None, int]:
        """Finds the first safe boundary.

        Args:
            text: What is not filtered yet.
            final: Nothing will be added to the text.
            after: How far a shorter beginning of the same text was looked through.

        Returns:
            Where the next segment starts, nothing while no boundary is certain; and how far the text was looked
            through.
        """
        window = text[: self.longest + 1]
        whole = final and len(text) <= self.longest
        seen = max(after, self.shortest)
        for gap in _GAP.finditer(window, seen):
            following = _WORD.match(window, gap.end())
            if following is None or (following.end() == len(window) and not whole):
                return None, gap.start()
            preceding = _last_word(window[: gap.start()])
            if _is_quiet(preceding) and _is_quiet(following.group()) and self._may_end(preceding + gap.group()):
                return gap.end(), gap.end()
            seen = gap.end()
        return None, seen

    def _may_end(self, ending: str) -> bool:
        return not self.sentences or _END_OF_SENTENCE.search(ending.rstrip(" \t")) is not None


def end_of_word(text: str) -> int:
    """Tells where the word ends that a text starts with."""
    word = _WORD.match(text)
    return word.end() if word else 0


def _last_word(text: str) -> str:
    words = _WORD.findall(text[-_LONGEST_WORD - 1 :])
    return words[-1] if words else ""


def _is_quiet(word: str) -> bool:
    """Tells whether a word is none that an entity of several words is made of."""
    if len(word) > _LONGEST_WORD or any(character.isnumeric() for character in word):
        return False
    return any(character.isalpha() and not character.isupper() for character in word)
