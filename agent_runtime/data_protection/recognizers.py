"""Presidio's recognizers, with some of them made fit for a runtime without network and for an agent's texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import presidio_analyzer.predefined_recognizers as predefined
from presidio_analyzer import Pattern
from tldextract import TLDExtract

from agent_runtime.data_protection.entities import MODEL_ENTITIES, RECOGNIZERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from presidio_analyzer import EntityRecognizer, RecognizerResult

_FEWEST_DIGITS = 7
# Digits and what a phone number has between them; `x` stands before an extension.
_NUMBER = re.compile(r"[\d+(][\d+()\[\]./~x\s-]*")
_DIGIT = re.compile(r"\d")
# Between a phone number and its extension, as in "extension no. ".
_LONGEST_LABEL = 16
_NEEDS_CONTEXT = 0.2
_SURE_URL = 0.6
_DATE = re.compile(r"(?<!\d)\d{1,2}\.\d{1,2}\.(?:19|20)\d\d(?!\d)")


class OfflineEmailRecognizer(predefined.EmailRecognizer):
    """E-mail addresses, checked against the list of public suffixes that tldextract brings along."""

    def __init__(self, **arguments: Any) -> None:
        # Presidio asks the default extractor, which fetches the list from the internet and writes it to the home.
        self._suffixes = TLDExtract(suffix_list_urls=(), cache_dir=None)
        super().__init__(**arguments)

    def validate_result(self, pattern_text: str) -> bool:
        """Tells whether the address ends in a public suffix."""
        return bool(self._suffixes(pattern_text).fqdn)


class GroupedCardRecognizer(predefined.CreditCardRecognizer):
    """Cards, also in groups as they are printed on American Express."""

    PATTERNS = [  # noqa: RUF012 - a list in Presidio too
        *predefined.CreditCardRecognizer.PATTERNS,
        Pattern("American Express in groups", r"\b3[47]\d{2}([- ])\d{6}\1\d{5}\b", 0.3),
    ]


class WrittenPhoneRecognizer(predefined.PhoneRecognizer):
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
        found = [
            result
            for result in super().analyze(candidates, entities, nlp_artifacts)
            if not _DATE.search(text[result.start : result.end])
        ]
        for result in found:
            if text[result.start : result.end].isdecimal():
                result.score = _NEEDS_CONTEXT
        return found


_OWN = {
    "CREDIT_CARD": GroupedCardRecognizer,
    "EMAIL_ADDRESS": OfflineEmailRecognizer,
    "PHONE_NUMBER": WrittenPhoneRecognizer,
}


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


def build_recognizers(entities: Iterable[str], language: str) -> list[EntityRecognizer]:
    """Builds what finds the entities.

    A country's recognizer is built for the language of the texts, whatever the country: a Spanish NIF stays one in an
    English sentence.

    Args:
        entities: Known names.
        language: Language of the texts.

    Returns:
        Presidio's recognizers.
    """
    names = sorted(set(entities))
    recognizers = [_build(name, language) for name in names if name in RECOGNIZERS]
    from_model = [name for name in names if name in MODEL_ENTITIES]
    if from_model:
        recognizers.append(predefined.SpacyRecognizer(supported_language=language, supported_entities=from_model))
    if "DATE_TIME" in from_model:
        recognizers.append(predefined.DateRecognizer(supported_language=language))
    return recognizers


def _build(entity: str, language: str) -> EntityRecognizer:
    build = _OWN.get(entity) or getattr(predefined, RECOGNIZERS[entity])
    recognizer: EntityRecognizer = build(supported_language=language)
    if entity == "URL":
        # Without a scheme README.md and main.py are URLs to Presidio: .md and .py are countries.
        recognizer.score_thresholds = {entity: _SURE_URL}
    return recognizer
