"""Personal data in a text, by patterns and checksums alone: what a check with `no_pii` looks for.

Names of people and places are not found: that wants a language model, which a function of a deployment does not carry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address

_DIGITS = re.compile(r"\D")
_IBAN_REMAINDER = 1  # ISO 13616
_IBAN_LENGTHS = range(15, 35)
_CARD_LENGTHS = range(13, 20)
_PHONE_LENGTHS = range(8, 16)  # E.164


def find_personal_data(text: str) -> list[str]:
    """Finds which kinds of personal data a text holds.

    Args:
        text: The text.

    Returns:
        The kinds, each once, as data protection names them; never what was found.
    """
    return list(dict.fromkeys(_kinds(text)))


def _kinds(text: str) -> Iterator[str]:
    for kind, pattern, is_one in _PATTERNS:
        if any(is_one(found.group()) for found in pattern.finditer(text)):
            yield kind


def _is_card(text: str) -> bool:
    """Luhn's checksum (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in _DIGITS.sub("", text)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(digits) in _CARD_LENGTHS and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "").upper()
    if len(plain) not in _IBAN_LENGTHS:
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == _IBAN_REMAINDER


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str) -> bool:
    return len(_DIGITS.sub("", text)) in _PHONE_LENGTHS


def _is_any(_: str) -> bool:
    return True


_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("EMAIL_ADDRESS", re.compile(r"\b[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}\b"), _is_any),
    ("CREDIT_CARD", re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]*\d)"), _is_card),
    ("IBAN_CODE", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b"), _is_iban),
    ("PHONE_NUMBER", re.compile(r"(?<!\w)(?:\+|00)[1-9](?:[ ().-]{0,2}\d){7,14}(?!\w)"), _is_phone),
    ("US_SSN", re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"), _is_any),
    ("IP_ADDRESS", re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"), _is_address),
)
