"""Phone numbers as people write them, told apart from the numbers of orders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from phonenumbers import Leniency, PhoneNumberMatch, PhoneNumberMatcher
from presidio_analyzer import EntityRecognizer
from presidio_analyzer.predefined_recognizers import PhoneRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presidio_analyzer import RecognizerResult

_FEWEST_DIGITS = 7
# Of the library: a prefix for abroad, three of a country, 17 of a number, 20 of an extension.
_MOST_DIGITS = 5 + 3 + 17 + 20
# Digits and what a phone number has between them; `x` stands before an extension.
_NUMBER = re.compile(r"[\d+(][\d+()\[\]./~x\s-]*")
_DIGIT = re.compile(r"\d")
# Between a phone number and its extension, as in "extension no. ".
_LONGEST_LABEL = 16
_NEEDS_CONTEXT = 0.2
_DATE = re.compile(r"(?:\d{1,3}\s)?\d{1,2}\.\d{1,2}\.(?:19|20)\d\d")


class _Matcher(PhoneNumberMatcher):
    """Tries no part of a text that has too few or too many digits: in a table that is nearly all of the work."""

    def _parse_and_verify(self, candidate: str, offset: int) -> PhoneNumberMatch | None:
        if not _FEWEST_DIGITS <= len(_DIGIT.findall(candidate)) <= _MOST_DIGITS:
            return None
        match: PhoneNumberMatch | None = super()._parse_and_verify(candidate, offset)
        return match


class WrittenPhoneRecognizer(PhoneRecognizer):
    """Phone numbers as people write them; digits alone, as order numbers have, only next to a word such as call."""

    # Presidio's without "number", which goes with orders and accounts as well.
    CONTEXT = [  # noqa: RUF012 - a list in Presidio too
        *("call", "cell", "cellphone", "contact", "dial", "fax", "mobile", "phone", "reach", "sms", "tel", "telephone"),
        *("text", "whatsapp", "anrufen", "handy", "mobil", "rufnummer", "telefon", "telefonnummer", "portable"),
        *("téléphone", "celular", "móvil", "teléfono", "cellulare", "telefono", "telefone", "telefoon"),
    ]

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Finds phone numbers."""
        candidates = without_short_numbers(text)
        found: list[RecognizerResult] = []
        for region in self.supported_regions:
            matches = list(_Matcher(candidates, region, leniency=Leniency.VALID))
            for match in matches:
                found.extend(self._result_of(match, text, region, nlp_artifacts))
            # With its country it is the same number everywhere, and each region costs as much as the first.
            for match in (match for match in matches if match.raw_string.startswith("+")):
                candidates = _hidden(candidates, match.start, match.end)
        return EntityRecognizer.remove_duplicates(found)

    def _result_of(self, match: Any, text: str, region: str, nlp_artifacts: Any) -> Iterator[RecognizerResult]:
        number = text[match.start : match.end]
        if _DATE.fullmatch(number):
            return
        result = self._get_recognizer_result(match, text, region, nlp_artifacts)  # type: ignore[no-untyped-call]
        if number.isdecimal():
            result.score = _NEEDS_CONTEXT
        yield result


def without_short_numbers(text: str) -> str:
    """Hides numbers of few digits from the search for phone numbers, which is the most expensive one of all.

    Args:
        text: Any text.

    Returns:
        A text of the same length.
    """
    end_of_long = -_LONGEST_LABEL

    def hide(number: re.Match[str]) -> str:
        nonlocal end_of_long
        digits = len(_DIGIT.findall(number.group()))
        is_extension = number.start() - end_of_long < _LONGEST_LABEL
        if digits >= _FEWEST_DIGITS:
            end_of_long = number.end()
        return number.group() if digits >= _FEWEST_DIGITS or is_extension else _DIGIT.sub("_", number.group())

    return _NUMBER.sub(hide, text)


def _hidden(text: str, start: int, end: int) -> str:
    return text[:start] + _DIGIT.sub("_", text[start:end]) + text[end:]
