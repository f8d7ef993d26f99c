"""A stream is masked as its whole text is, however it is cut, and holds back little."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.data_protection import OutputBlockedError
from agent_runtime.data_protection.protection import LONGEST_DELAY

VALUES = {
    "CREDIT_CARD": "4111 1111 1111 1111",
    "EMAIL_ADDRESS": "ana.lima@example.com",
    "IBAN_CODE": "GB82 WEST 1234 5698 7654 32",
    "PHONE_NUMBER": "+1 (212) 555-0123",
    "US_SSN": "536-22-8726",
    "IP_ADDRESS": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
}
TEXT = (
    "Thank you for the call yesterday, here is what was noted.\n"
    + "\n".join(f"- It is {value}, to be changed soon." for value in VALUES.values())
    + "\nNothing else was said about it."
)


def send(protection, pieces):
    stream = protection.output_stream()
    return "".join([*map(stream.feed, pieces), stream.close()])


def pieces_of(text, places):
    edges = [0, *sorted(places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@pytest.fixture(scope="module")
def masked(masking):
    return masking.protect_output(TEXT)


def test_the_whole_is_masked(masked):
    expected = TEXT
    for entity, value in VALUES.items():
        expected = expected.replace(value, f"<{entity}>")
    assert masked == expected


def test_split_at_every_position(masking, masked):
    for place in range(len(TEXT) + 1):
        assert send(masking, [TEXT[:place], TEXT[place:]]) == masked


def test_one_character_at_a_time_never_gives_out_a_part_of_a_value(masking, masked):
    stream = masking.output_stream()
    sent = ""
    for character in TEXT:
        sent += stream.feed(character)
        assert masked.startswith(sent)
    assert sent + stream.close() == masked


@settings(max_examples=40, deadline=None, derandomize=True)
@given(places=st.lists(st.integers(0, len(TEXT)), max_size=40))
def test_random_pieces(masking, masked, places):
    assert send(masking, pieces_of(TEXT, places)) == masked


ALPHABET = st.sampled_from(
    [*"ab1 9.-@\n+(X", "\ud83d", "\u200b", "\u202f", "日", "。", *VALUES.values(), "word ", "https://"]
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(parts=st.lists(ALPHABET, max_size=60), seed=st.integers(0, 1000))
def test_any_text_gives_the_same_stream_for_any_pieces(masking, parts, seed):
    text = "".join(parts)
    source = random.Random(seed)  # noqa: S311 - hypothesis replays it
    places = [source.randrange(len(text) + 1) for _ in range(seed % 20)]
    assert send(masking, pieces_of(text, places)) == masking.protect_output(text)


@pytest.mark.parametrize("value", VALUES.values())
def test_block_ends_the_stream_before_any_part_of_the_value(blocking, value):
    for size in (1, 3, 1000):
        stream, sent = blocking.output_stream(), ""
        text = f"{TEXT[:57]} It is {value} and goes on."
        with pytest.raises(OutputBlockedError) as raised:
            for start in range(0, len(text), size):
                sent += stream.feed(text[start : start + size])
            stream.close()
        assert text.startswith(sent)
        assert len(sent) <= text.index(value)
        assert not any(part in str(raised.value) for part in value.split())


def test_a_blocked_stream_stays_blocked(blocking):
    stream = blocking.output_stream()
    with pytest.raises(OutputBlockedError):
        stream.feed(TEXT)
    for again in (lambda: stream.feed("harmless words that nobody would block"), stream.close):
        with pytest.raises(OutputBlockedError):
            again()


LONG = {
    "no spaces": "abcdefgh" * 4000,
    "digits": "0123456789" * 3000,
    "capitals": "LOUD WORDS " * 3000,
    "numbers": "12 7 99 " * 600,
    "spaces": " " * 30000,
    "url": "https://example.com/" + "a" * 30000,
    "email": "x" * 200 + "@" + "example." * 1000 + "com",
    "phones": "+1 212-555-0123 " * 300,
    "dots": "a." * 3000,
    "dashes": "x1-" * 1000,
    "chinese": "他们把服务搬到了另一个地区并写下了经验" * 1500,
}


@pytest.mark.parametrize("name", LONG)
def test_long_texts_without_boundaries_flow(masking, name):
    stream, text, sent = masking.output_stream(), LONG[name], ""
    for start in range(0, len(text), 500):
        piece = text[start : start + 500]
        sent += stream.feed(piece)
        assert len(stream._filter._waiting) <= LONGEST_DELAY
        assert len(stream._filter._before) <= LONGEST_DELAY
    assert sent + stream.close() == masking.protect_output(text)


@pytest.mark.parametrize("name", ["no spaces", "capitals", "spaces", "chinese"])
def test_long_texts_without_entities_are_unchanged(masking, name):
    assert masking.protect_output(LONG[name]) == LONG[name]


@pytest.mark.parametrize("offset", [*range(600, 700), *range(1000, 1050)])
def test_a_value_at_a_forced_cut_is_masked(masking, offset):
    text = "X" * (offset - 1) + " " + "4111-1111-1111-1111" + " " + "Y" * 1500
    assert masking.protect_output(text) == text.replace("4111-1111-1111-1111", "<CREDIT_CARD>")


def test_an_entity_longer_than_the_window_takes_the_rest_of_its_word_along(masking):
    text = f"see https://example.com/{'secret' * 1000} there"
    assert masking.protect_output(text) == "see <URL> there"


def test_prose_waits_for_few_characters(masking):
    stream, waiting = masking.output_stream(), []
    for start in range(0, 4000, 4):
        stream.feed((TEXT * 12)[start : start + 4])
        waiting.append(len(stream._filter._waiting))
    assert sorted(waiting)[len(waiting) // 2] <= 64
    assert max(waiting) <= 160


def test_the_word_that_makes_sure_may_be_in_the_segment_before(masking):
    for shift in range(70):
        text = f"{'x' * shift} her ssn, as the form that she sent says, reads 536228726 in full"
        assert masking.protect_output(text) == text.replace("536228726", "<US_SSN>")


def test_half_surrogates_pass_and_hide_nothing(masking):
    assert send(masking, ["face \ud83d", "\ude00 ana@example.com \udc00"]) == "face \ud83d\ude00 <EMAIL_ADDRESS> \udc00"
