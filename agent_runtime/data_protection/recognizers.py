"""Presidio's recognizers, with some of them made fit for a runtime without network and for an agent's texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import presidio_analyzer.predefined_recognizers as predefined
from presidio_analyzer import Pattern
from tldextract import TLDExtract

from agent_runtime.data_protection.entities import MODEL_ENTITIES, RECOGNIZERS
from agent_runtime.data_protection.phones import WrittenPhoneRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from presidio_analyzer import EntityRecognizer


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


class MarkedUrlRecognizer(predefined.UrlRecognizer):
    """Addresses that start with http://, https:// or www.

    Presidio's patterns for bare names take README.md and main.py for addresses, `.md` and `.py` being countries, and
    take seconds for 4 kB of dots.
    """

    PATTERNS = [  # noqa: RUF012 - a list in Presidio too
        *(pattern for pattern in predefined.UrlRecognizer.PATTERNS if pattern.name == "Standard Url"),
        Pattern("www", r"\bwww\d?(?:\.[a-z0-9-]+){2,}(?:/[^\s()<>\"']*)?", 0.6),
    ]


_OWN = {
    "CREDIT_CARD": GroupedCardRecognizer,
    "EMAIL_ADDRESS": OfflineEmailRecognizer,
    "PHONE_NUMBER": WrittenPhoneRecognizer,
    "URL": MarkedUrlRecognizer,
}


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
    return recognizer
