"""Presidio in this process. Importing this module costs seconds: only `build_protection` does, when it is asked to."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

# Before numpy is imported: the threads of its linear algebra, which patterns do not need, would be in the snapshot.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, pattern_recognizer
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, SpacyNlpEngine
from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import RecognizerResult

from agent_runtime.data_protection.entities import MODEL_ENTITIES
from agent_runtime.data_protection.findings import Finding
from agent_runtime.data_protection.folding import fold
from agent_runtime.data_protection.pipelines import open_pipeline
from agent_runtime.data_protection.recognizers import build_recognizers

if TYPE_CHECKING:
    from spacy.language import Language

_SURE_ENOUGH = 0.4
# English is full of it, so spaCy skips it; but next to ten digits it tells a phone number from an order's.
_TELLING = "call"
_WARM_UP = "Call +1 212 555 0123 or write to someone@example.com from 10.0.0.1."


class PatternTimeoutError(Exception):
    """Raised when Presidio may have given up on a pattern, which it does without a word to its caller."""


class _LazyArtifacts(NlpArtifacts):
    """The words of a text, cut when they are asked for: most segments hold nothing that needs a context."""

    def __init__(self, text: str, language: str, engine: _OpenPipeline) -> None:
        self._text = text
        self._language = language
        self._engine = engine
        self._made: NlpArtifacts | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._engine.cut(self._text, self._language)
        return getattr(self._made, name)


class _OpenPipeline(SpacyNlpEngine):
    """Presidio's engine around a pipeline that is open already, so that it never downloads a model."""

    def __init__(self, language: str, pipeline: Language) -> None:
        super().__init__(models=[{"lang_code": language, "model_name": pipeline.meta["name"]}])
        self.nlp = {language: pipeline}  # type: ignore[assignment]  # Presidio sets it in load() only

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        return _LazyArtifacts(text, language, self)

    def is_stopword(self, word: str, language: str) -> bool:
        return word.lower() != _TELLING and super().is_stopword(word, language)

    def cut(self, text: str, language: str) -> NlpArtifacts:
        """Runs the pipeline."""
        return super().process_text(text, language)


class PresidioFilter:
    """Finds and masks the entities of a blueprint; for any thread, one at a time.

    Args:
        entities: Known names.
        language: Language of the texts.

    Raises:
        InputError: The language or its model is not there.
    """

    def __init__(self, entities: tuple[str, ...], language: str) -> None:
        silence()
        self._entities = sorted(set(entities))
        self._language = language
        self._lock = threading.Lock()
        self._pipeline = open_pipeline(language, MODEL_ENTITIES.intersection(entities))
        self._analyzer = AnalyzerEngine(
            registry=RecognizerRegistry(
                recognizers=build_recognizers(entities, language), supported_languages=[language]
            ),
            nlp_engine=_OpenPipeline(language, self._pipeline),
            supported_languages=[language],
            default_score_threshold=_SURE_ENOUGH,
            # As substrings, "us" of US_PASSPORT is in customer, and "lic" of US_DRIVER_LICENSE in public.
            context_aware_enhancer=LemmaContextAwareEnhancer(context_matching_mode="whole_word"),
        )
        self._anonymizer = AnonymizerEngine()  # type: ignore[no-untyped-call]
        # What is loaded at the first use is loaded now, so that the runtime's snapshot holds it.
        self.mask(_WARM_UP, self.find(_WARM_UP))

    def find(self, text: str) -> list[Finding]:
        """Finds the entities of a text.

        Args:
            text: A segment and what stands before it.

        Returns:
            Findings; they may overlap.

        Raises:
            PatternTimeoutError: A pattern may have been left out.
        """
        folded, places = fold(text)
        # The zone frees the words of the text; spaCy would keep each for the life of the process.
        with self._lock, self._pipeline.memory_zone():
            started, started_cpu = time.monotonic(), time.process_time()
            results = self._analyzer.analyze(folded, self._language, entities=self._entities)
            # `regex` counts the processor's time, and Presidio swallows its timeout.
            spent = max(time.monotonic() - started, time.process_time() - started_cpu)
        if spent >= pattern_recognizer.REGEX_TIMEOUT_SECONDS:
            raise PatternTimeoutError
        return [
            Finding(places[result.start], places[result.end - 1] + 1, result.entity_type, result.score)
            for result in results
        ]

    def mask(self, text: str, findings: list[Finding]) -> str:
        """Puts `<ENTITY>` in place of each value.

        Args:
            text: A segment.
            findings: Findings in it that do not overlap.

        Returns:
            The masked text.
        """
        results = [RecognizerResult(found.entity, found.start, found.end, found.score) for found in findings]
        masked = self._anonymizer.anonymize(text, results, merge_entities_with_spaces=False)
        return masked.text


def silence() -> None:
    """Takes the voice from Presidio's loggers: they write values, such as an IBAN that fails its check."""
    for name in ("presidio-analyzer", "presidio-anonymizer", "decision_process"):
        logging.getLogger(name).disabled = True
