"""Labelled texts, the same in every run: values with valid check digits, and look-alikes that are no personal data.

The values are written here, not drawn with Presidio's help, so that the corpus says what a person would.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass

_SEED = 20261121


@dataclass(frozen=True)
class Sample:
    """A text, and the entities that it holds as (type, value)."""

    text: str
    expected: tuple[tuple[str, str], ...] = ()


def _luhn(digits: str) -> str:
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def _digits(source: random.Random, count: int) -> str:
    return "".join(str(source.randrange(10)) for _ in range(count))


def _grouped(value: str, separator: str, size: int = 4) -> str:
    return separator.join(value[start : start + size] for start in range(0, len(value), size))


def _iban(country: str, account: str) -> str:
    number = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(number) % 97:02d}{account}"


def cards(source: random.Random) -> list[str]:
    starts = [("4", 15), ("51", 15), ("55", 15), ("34", 14), ("37", 14), ("6011", 15)]
    numbers = [_luhn(start + _digits(source, length - len(start))) for start, length in starts for _ in range(4)]
    written = [_grouped(number, " -"[turn % 2]) if len(number) == 16 else number for turn, number in enumerate(numbers)]
    return [number if turn % 3 == 0 else form for turn, (number, form) in enumerate(zip(numbers, written, strict=True))]


def ibans(source: random.Random) -> list[str]:
    accounts = [("DE", 18), ("ES", 20), ("AT", 16), ("BE", 12), ("CH", 17), ("PL", 24)]
    plain = [_iban(country, _digits(source, length)) for country, length in accounts for _ in range(3)]
    plain += [_iban("GB", f"WEST{_digits(source, 14)}") for _ in range(3)]
    plain += [_iban("NL", f"ABNA{_digits(source, 10)}") for _ in range(3)]
    return [value if turn % 2 else _grouped(value, " ") for turn, value in enumerate(plain)]


def emails(source: random.Random) -> list[str]:
    people = ("ana.lima", "j_doe", "k+news", "o'neill", "x", "maria-jose", "li.wei99", "info")
    hosts = ("example.com", "mail.example.co.uk", "firma.de", "uni-bonn.de", "example.org", "a.b.example.net")
    return [f"{source.choice(people)}@{source.choice(hosts)}" for _ in range(24)]


def addresses(source: random.Random) -> list[str]:
    fourth = [".".join(str(source.randrange(1, 255)) for _ in range(4)) for _ in range(16)]
    sixth = [":".join(f"{source.randrange(65536):x}" for _ in range(8)) for _ in range(4)]
    return [*fourth, *sixth, "2001:db8::1", "fe80::1ff:fe23:4567:890a", "::1", "::ffff:192.0.2.128"]


def phones(source: random.Random) -> list[str]:
    def subscriber(count: int) -> str:
        return str(source.randrange(2, 9)) + _digits(source, count - 1)

    areas = ("212", "415", "617", "305", "206")
    us = [(source.choice(areas), subscriber(3).replace("11", "12"), _digits(source, 4)) for _ in range(16)]
    forms = ("({0}) {1}-{2}", "{0}-{1}-{2}", "+1 {0} {1} {2}", "{0}.{1}.{2}", "+1{0}{1}{2}", "1-{0}-{1}-{2}")
    american = [forms[turn % len(forms)].format(*number) for turn, number in enumerate(us)]
    british = [f"+44 20 7946 0{_digits(source, 3)}" for _ in range(4)]
    german = [f"+49 30 {subscriber(8)}" for _ in range(4)]
    indian = [f"+91 98{_digits(source, 3)} {_digits(source, 5)}" for _ in range(4)]
    return [*american, *british, *german, *indian]


def social_security(source: random.Random) -> list[str]:
    areas = [area for area in range(100, 665) if area != 219]
    return [f"{source.choice(areas)}-{source.randrange(10, 100)}-{source.randrange(1000, 9999)}" for turn in range(24)]


def crypto() -> list[str]:
    return ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"]


_SENTENCES = {
    "CREDIT_CARD": ("My card is {}, valid until 11/29.", "Charge {} please", "karte={};"),
    "IBAN_CODE": ("Send it to {} by Friday.", "IBAN: {}", "account ({}) in euros"),
    "EMAIL_ADDRESS": ("Write to {}.", "<{}> wrote:", '{{"email": "{}"}}'),
    "IP_ADDRESS": ("Login from {} was refused.", "host={} port=443", "ping {}"),
    "PHONE_NUMBER": ("Call me on {} tomorrow.", "Tel. {}", "- mobile: {}\n- fax: none"),
    "US_SSN": ("Her SSN is {}.", "ssn={}", "The social security number {} was on the form"),
    "CRYPTO": ("pay {} in bitcoin", "wallet {}"),
}


def positives() -> list[Sample]:
    source = random.Random(_SEED)  # noqa: S311 - the same texts in every run
    values = {
        "CREDIT_CARD": cards(source),
        "IBAN_CODE": ibans(source),
        "EMAIL_ADDRESS": emails(source),
        "IP_ADDRESS": addresses(source),
        "PHONE_NUMBER": phones(source),
        "US_SSN": social_security(source),
        "CRYPTO": crypto(),
    }
    return [
        Sample(_SENTENCES[entity][turn % len(_SENTENCES[entity])].format(value), ((entity, value),))
        for entity, members in values.items()
        for turn, value in enumerate(members)
    ]


def hard() -> list[Sample]:
    """Values in spellings that people use and that patterns tend to miss."""
    written = {
        "CREDIT_CARD": (
            "3782 822463 10005",
            "3782-822463-10005",
            "4111\u202f1111\u202f1111\u202f1111",
            "".join(chr(0xFEE0 + ord(digit)) for digit in "4111111111111111"),
        ),
        "IBAN_CODE": ("MT84 MALT 0110 0001 2345 MTLC AST0 01S", "GB29\u00a0NWBK\u00a06016\u00a01331\u00a09268\u00a019"),
        "EMAIL_ADDRESS": (
            "ANA@EXAMPLE.COM",
            "müller@example.de",
            "ana@bücher.example.com",
            "ana\u200b.lima@example.com",
        ),
        "PHONE_NUMBER": (
            "030 12345678",
            "01 23 45 67 89",
            "020 7946 0958",
            "2125550143",
            "+1\u202f212\u2011555\u20110143",
        ),
        "US_SSN": ("536 22 8726", "536228726", "536\u201122\u20118726"),
        "IP_ADDRESS": ("10.0.0.0/8", "2001:DB8:0:0:8:800:200C:417A"),
    }
    return [
        Sample(_SENTENCES[entity][0].format(value), ((entity, value),))
        for entity, values in written.items()
        for value in values
    ]


def negatives() -> list[Sample]:
    source = random.Random(_SEED + 1)  # noqa: S311 - the same texts in every run
    texts = [f"Order {_digits(source, 10)} has been shipped." for _ in range(12)]
    texts += [f"Your order no. {_digits(source, 8)} is late." for _ in range(8)]
    texts += [f"Ticket #{_digits(source, 6)} is closed." for _ in range(8)]
    texts += [f"request {uuid.UUID(int=source.getrandbits(128), version=4)} failed" for _ in range(16)]
    texts += [
        f"Upgrade to version {source.randrange(20)}.{source.randrange(50)}.{source.randrange(99)}" for _ in range(8)
    ]
    texts += [f"built at 2026-{1 + turn:02d}-{10 + turn} {turn:02d}:{turn * 4:02d}:07Z" for turn in range(8)]
    texts += [f"at {turn + 8}:30, {turn + 10}.11.2026, for 1.234.567,89 EUR" for turn in range(6)]
    texts += [f"commit {source.getrandbits(160):040x}" for _ in range(8)]
    texts += [f"{_digits(source, 3)}-{_digits(source, 3)} parts in box {_digits(source, 5)}" for _ in range(6)]
    texts += [f"card ending in {_digits(source, 4)}" for _ in range(4)]
    # One wrong digit: no card, no IBAN.
    texts += [f"reference {value[:-1]}{(int(value[-1]) + 1) % 10}" for value in cards(source)[::3]]
    texts += [f"reference {value[:-1]}{(int(value[-1]) + 1) % 10}" for value in ibans(source)[1:9:2]]
    texts += [
        "see README.md and main.py",
        "std::vector and a::b",
        "10-20 people in rooms 101-110",
        "ratio 16:9, 3/4 done",
    ]
    texts += ["@mention in #channel", "a@b", "range 1.0-2.0.1", "ISBN 978-3-16-148410-0", "1,000,000,000 rows"]
    texts += [
        "timestamp 1763708432",
        "epoch 1763708432123",
        "v2.0.0-rc.1+build.5",
        "tel aviv is a city",
        "1 2 3 4 5 6 7",
    ]
    return [Sample(text) for text in texts]
