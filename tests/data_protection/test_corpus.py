"""How much of a labelled corpus is found, and how much is found that is none; whole and in a stream."""

import pytest

from agent_runtime.data_protection.findings import disjoint
from tests.data_protection import corpus

RECALL = 0.95
PRECISION = 0.90
SAMPLES = [*corpus.positives(), *corpus.hard(), *corpus.negatives()]
ENTITIES = sorted({entity for sample in SAMPLES for entity, _ in sample.expected})


@pytest.fixture(scope="module")
def found(masking):
    return [
        {(finding.entity, sample.text[finding.start : finding.end]) for finding in disjoint(_find(masking, sample))}
        for sample in SAMPLES
    ]


def _find(protection, sample):
    return protection._filter.find(sample.text)


def test_the_corpus_is_large_and_has_look_alikes():
    assert len(SAMPLES) >= 200
    assert len({sample.text for sample in SAMPLES}) > 0.95 * len(SAMPLES)
    assert sum(not sample.expected for sample in SAMPLES) >= 100


@pytest.mark.parametrize("entity", ENTITIES)
def test_recall(found, entity):
    expected = [
        (sample, names) for sample, names in zip(SAMPLES, found, strict=True) if entity in dict(sample.expected)
    ]
    missed = [sample.text for sample, names in expected if not set(sample.expected) <= names]
    assert len(missed) <= (1 - RECALL) * len(expected), missed


def test_precision(found):
    extra = [(sample.text, names - set(sample.expected)) for sample, names in zip(SAMPLES, found, strict=True)]
    wrong = sum(len(names) for _, names in extra)
    right = sum(len(names) for names in found) - wrong
    assert right / (right + wrong) >= PRECISION, [sample for sample in extra if sample[1]]


PROSE = "The team moved its services to another region and wrote down what was learned from the move. "


@pytest.mark.parametrize("shift", [0, 31, 64, 90])
def test_in_a_stream_nothing_more_passes_than_in_one_look(masking, found, shift):
    """Segments lose nothing: what one look at the whole text finds is masked, wherever the text is cut."""
    for sample, names in zip(SAMPLES, found, strict=True):
        text = f"{PROSE[:shift]} {sample.text} {PROSE}"
        masked = masking.protect_output(text)
        for _, value in names:
            assert value not in masked, text
        for entity in {entity for entity, _ in names}:
            assert f"<{entity}>" in masked, text


def test_look_alikes_come_through_unchanged(masking):
    untouched = [sample.text for sample in corpus.negatives() if masking.protect_output(sample.text) == sample.text]
    assert len(untouched) >= 0.95 * len(corpus.negatives())


def test_an_input_is_masked_as_an_output_is(masking):
    different = [
        sample.text for sample in SAMPLES if masking.protect_input(sample.text) != masking.protect_output(sample.text)
    ]
    assert not different
