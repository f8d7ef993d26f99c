"""Where texts are cut."""

import pytest

from agent_runtime.data_protection import segments
from agent_runtime.data_protection.findings import Finding, disjoint, within
from agent_runtime.data_protection.folding import fold
from agent_runtime.data_protection.phones import without_short_numbers
from agent_runtime.data_protection.segments import Segmentation, end_of_word

SEGMENTATION = Segmentation(shortest=0, longest=100, overlap=20)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("call me now", "call "),
        ("call 212 555 0123 later today", "call 212 555 0123 later "),
        ("IBAN GB82 WEST 1234 is here now", "IBAN GB82 WEST 1234 is "),
        ("plate b12 ab34 is here now", "plate b12 ab34 is "),
        ("HERE ALL IS LOUD but this", "HERE ALL IS LOUD but "),
        ("他们，到了", "他们，"),  # noqa: RUF001
    ],
)
def test_the_first_cut_is_between_two_words_of_no_entity(text, first):
    assert text[: SEGMENTATION.next_cut(text, final=True)[0]] == first


def test_a_word_that_may_grow_is_waited_for():
    assert SEGMENTATION.next_cut("call me", final=False)[0] is None
    assert SEGMENTATION.next_cut("call me", final=True)[0] == 5


def test_no_cut_within_a_window_that_has_no_boundary():
    assert SEGMENTATION.next_cut("1 2 " * 100, final=True)[0] is None


def test_with_a_model_only_sentences_are_cut():
    sentences = Segmentation(shortest=0, longest=100, overlap=20, sentences=True)
    text = "he met john smith. they spoke"
    assert text[: sentences.next_cut(text, final=True)[0]] == "he met john smith. "
    assert sentences.next_cut("one line\nand the next", final=True)[0] == len("one line\n")


def test_end_of_word():
    assert [end_of_word(text) for text in ("", " a", "ab c", "abc")] == [0, 0, 2, 3]


def test_overlapping_findings_become_one_under_the_surest_name():
    findings = [Finding(4, 10, "URL", 0.6), Finding(0, 8, "EMAIL_ADDRESS", 1.0), Finding(20, 22, "URL", 0.5)]
    assert disjoint(findings) == [Finding(0, 10, "EMAIL_ADDRESS", 1.0), Finding(20, 22, "URL", 0.5)]


def test_findings_are_cut_down_to_a_part():
    assert within([Finding(0, 5, "A", 1), Finding(4, 12, "B", 1), Finding(6, 7, "C", 1)], 5, 10) == [
        Finding(0, 5, "B", 1),
        Finding(1, 2, "C", 1),
    ]


def test_folding_keeps_places():
    text = "a\u200b\u202f\uff11\u2011\u0665\ud83d"
    folded, places = fold(text)
    assert folded == "a 1-5\ufffd"
    assert places == [0, 2, 3, 4, 5, 6, 7]


def test_short_numbers_are_hidden_from_the_phone_search_but_extensions_are_not():
    text = "12 of 48, call 212-555-0123 ext. 45 or 46, room 7"
    assert without_short_numbers(text) == "__ of __, call 212-555-0123 ext. 45 or 46, room _"


@pytest.mark.parametrize(
    "text", ["1 2 3 4 " * 400, "a long line of words that says nothing. " * 40, "ONE TWO 3 four " * 90]
)
@pytest.mark.parametrize("size", [1, 7])
def test_looking_on_finds_what_looking_anew_finds_and_looks_once(monkeypatch, text, size):
    segmentation = Segmentation(shortest=64, longest=1024, overlap=384)
    looks, after = [], 0
    last_word = segments._last_word
    monkeypatch.setattr(segments, "_last_word", lambda before: looks.append(1) or last_word(before))

    for end in range(size, 1500, size):
        on, after = segmentation.next_cut(text[:end], final=False, after=after)
        once = len(looks)
        assert on == segmentation.next_cut(text[:end], final=False)[0]
        del looks[once:]
        if on is not None:
            break

    assert len(looks) <= 1025
