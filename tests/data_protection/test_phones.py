"""The search for phone numbers: what the library finds in tables of numbers, without trying every one of them."""

from __future__ import annotations

import random

import pytest
from phonenumbers import Leniency, PhoneNumberMatcher, phonenumbermatcher

from agent_runtime.data_protection.phones import WrittenPhoneRecognizer, without_short_numbers
from tests.data_protection import corpus

FEWEST_DIGITS = 7
SEPARATORS = (" ", "  ", ", ", "\n", "\t", " - ", "-", "/", ".", "; ", " x")


@pytest.fixture(scope="module")
def recognizer():
    return WrittenPhoneRecognizer(supported_language="en")


def numbers(source, digits):
    return [str(source.randrange(10 ** source.randrange(1, digits + 1))) for _ in range(1200)]


def tables():
    """Tables of numbers none of which is a phone number, 4 kB each."""
    source = random.Random(20261121)  # noqa: S311 - the same texts in every run
    short = numbers(source, 4)
    decimals = [f"{source.random() * 100:.2f}" for _ in range(1200)]
    texts = {
        **{"spaces": " ".join(short), "lines": "\n".join(short), "tabs": "\t".join(short), "dashes": "-".join(short)},
        **{"decimals": " ".join(decimals), "brackets": "(1) (22) (333) " * 400, "single digits": "1 2 3 4 5 6 " * 400},
        **{"six digits": " ".join(numbers(source, 6)), "no separator": "1234567890" * 410},
    }
    return {name: text[:4096] for name, text in texts.items()}


TABLES = tables()


@pytest.mark.parametrize("name", TABLES)
def test_little_of_a_table_is_tried(recognizer, monkeypatch, name):
    tried = []
    parse = phonenumbermatcher.parse
    monkeypatch.setattr(phonenumbermatcher, "parse", lambda *given, **more: tried.append(1) or parse(*given, **more))

    recognizer.analyze(TABLES[name], ["PHONE_NUMBER"])

    # The library by itself parses up to 12,000 parts of them, 10,000 of the table with spaces.
    assert len(tried) <= 1000


def mixed():
    """Texts in which phone numbers stand among other numbers, with anything between them."""
    source = random.Random(7)  # noqa: S311 - the same texts in every run
    phones = corpus.phones(random.Random(3))  # noqa: S311
    for _ in range(150):
        text = "call"
        for _ in range(source.randrange(2, 12)):
            other = (str(source.randrange(10 ** source.randrange(1, 12))), f"{source.random() * 1000:.2f}", "word")
            text += source.choice(SEPARATORS) + source.choice((*other, source.choice(phones)))
        yield text


def test_everything_that_the_library_finds_is_found(recognizer):
    found = 0
    for text in mixed():
        candidates = without_short_numbers(text)
        ours = {(result.start, result.end) for result in recognizer.analyze(text, ["PHONE_NUMBER"])}
        covered = {place for start, end in ours for place in range(start, end)}
        for region in recognizer.supported_regions:
            for match in PhoneNumberMatcher(candidates, region, leniency=Leniency.VALID):
                if sum(character.isdigit() for character in match.raw_string) >= FEWEST_DIGITS:
                    found += 1
                    assert covered.issuperset(range(match.start, match.end)), (text, match.raw_string)
    assert found > 500
