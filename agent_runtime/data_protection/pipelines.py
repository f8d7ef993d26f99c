"""The spaCy pipeline that cuts a text into words, and finds names where a language model is installed."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any

import spacy
import spacy.lang
from spacy.language import Language
from spacy.util import compile_infix_regex, is_package

from agent_runtime.errors import InputError
from agent_runtime.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spacy.tokens import Doc

_SIZES = ("lg", "md", "sm")
_WEB = frozenset({"en", "zh"})


@Language.component("strandline_lower_lemma")
def _lower_lemma(doc: Doc) -> Doc:
    """Gives each word a lemma, as a blank pipeline does not: Presidio compares lemmas with the words of its context."""
    for token in doc:
        token.lemma_ = token.lower_
    return doc


def open_pipeline(language: str, model_entities: Iterable[str]) -> Language:
    """Opens the pipeline of a language.

    Args:
        language: As ISO 639-1.
        model_entities: Entities that only a language model finds; none for a pipeline that only cuts words.

    Returns:
        The pipeline.

    Raises:
        InputError: The language is not known, or its model is not installed.
    """
    known = {module.name for module in pkgutil.iter_modules(spacy.lang.__path__) if module.ispkg}
    if language not in known:
        raise InputError(
            f"data_protection.presidio_language: {language!r} is not known ({did_you_mean(language, known)})."
        )
    wanted = sorted(model_entities)
    return _open_model(language, wanted) if wanted else _open_blank(language)


def _open_model(language: str, wanted: list[str]) -> Language:
    stem = f"{language}_core_{'web' if language in _WEB else 'news'}"
    for size in _SIZES:
        if is_package(f"{stem}_{size}"):
            return spacy.load(f"{stem}_{size}")
    raise InputError(
        f"data_protection.presidio_entities: {', '.join(wanted)} cannot be found without a language model, "
        f"and none is installed: add the model {stem}_sm to blueprints/requirements.txt "
        "(docs/data-protection.md has the line), or leave these entities out."
    )


def _open_blank(language: str) -> Language:
    try:
        pipeline = spacy.blank(language)
    except ImportError as error:
        raise InputError(
            f"data_protection.presidio_language: spaCy cuts {language!r} into words with a package that is not "
            f"installed ({error.name or 'see its documentation'}): add it to blueprints/requirements.txt."
        ) from None
    tokenizer: Any = pipeline.tokenizer
    # Some languages bring a tokenizer of their own.
    if hasattr(tokenizer, "infix_finditer"):
        # Without it "ssn=078051120" is one word.
        tokenizer.infix_finditer = compile_infix_regex([*(pipeline.Defaults.infixes or ()), "="]).finditer
    pipeline.add_pipe("strandline_lower_lemma")
    return pipeline
