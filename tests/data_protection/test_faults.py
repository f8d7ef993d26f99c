"""What cannot be protected does not pass, and no error tells a value."""

import logging
import subprocess
import sys
import threading

import pytest
from presidio_analyzer import PatternRecognizer, pattern_recognizer

from agent_runtime.data_protection import (
    BlockedError,
    FilterFailedError,
    InputBlockedError,
    ProtectionSettings,
    build_protection,
)
from agent_runtime.errors import EnvironmentFault, InputError, StrandlineError
from agent_runtime.failures import failure_of

CARD = "4111 1111 1111 1111"


def test_block_names_the_types_and_not_the_values(blocking):
    with pytest.raises(InputBlockedError) as raised:
        blocking.protect_input(f"Card {CARD}, mail ana@example.com")
    assert raised.value.entities == ("CREDIT_CARD", "EMAIL_ADDRESS")
    assert "CREDIT_CARD, EMAIL_ADDRESS" in str(raised.value)
    assert "1111" not in repr(raised.value)
    assert "example" not in repr(raised.value)


def test_the_caller_is_told_what_blocked(blocking):
    with pytest.raises(BlockedError) as raised:
        blocking.protect_input(CARD)
    failure = failure_of(raised.value)
    assert (failure.type, failure.status) == ("input_blocked", 400)
    assert isinstance(raised.value, StrandlineError)


def test_what_is_off_passes():
    protection = build_protection(ProtectionSettings(provider="presidio", on_input=False))
    assert protection.protect_input(CARD) == CARD
    assert protection.protect_output(CARD) == "<CREDIT_CARD>"
    protection = build_protection(ProtectionSettings(provider="presidio", on_output=False))
    stream = protection.output_stream()
    assert stream.feed(CARD) + stream.close() == CARD
    assert protection.protect_input(CARD) == "<CREDIT_CARD>"


@pytest.mark.parametrize("provider", ["none", "bedrock"])
def test_others_are_not_built_here(provider):
    assert build_protection(ProtectionSettings(provider=provider)) is None


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        (ProtectionSettings("presidio", entities=("EMAIL_ADRESS",)), "did you mean EMAIL_ADDRESS?"),
        (ProtectionSettings("presidio", entities=("US_SNN", "FOO")), "did you mean US_SSN?"),
        (ProtectionSettings("presidio", entities=("PERSON", "URL")), "add the model en_core_web_sm to"),
        (ProtectionSettings("presidio", entities=("LOCATION",), language="de"), "de_core_news_sm"),
        (ProtectionSettings("presidio", language="eng"), "did you mean en?"),
        (ProtectionSettings("presidio", language="ja"), "blueprints/requirements.txt"),
        (ProtectionSettings("presidio", on_input=False, on_output=False), "neither input nor output"),
        (ProtectionSettings("presido"), "did you mean presidio?"),
        (ProtectionSettings("presidio", action="hide"), "allowed: block, mask"),
    ],
)
def test_a_wrong_blueprint_is_an_error_at_start(settings, hint):
    with pytest.raises(InputError, match=hint.replace("?", r"\?")):
        build_protection(settings)


def test_every_unknown_entity_is_named():
    with pytest.raises(InputError) as raised:
        ProtectionSettings("presidio", entities=("FOO", "URL", "BAR")).check()
    assert len(raised.value.problems) == 2


def test_presidio_that_is_not_installed_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "agent_runtime.data_protection.presidio", None)
    with pytest.raises(EnvironmentFault, match=r"presidio\.lock"):
        build_protection(ProtectionSettings("presidio"))


class BrokenRecognizer(PatternRecognizer):
    """Fails as Presidio's context search does: with the value in the exception's text."""

    def analyze(self, text, *arguments, **options):
        raise ValueError(f"Did not find word '{text}'")


@pytest.fixture
def broken():
    protection = build_protection(ProtectionSettings("presidio", entities=("URL",)))
    protection._filter._analyzer.registry.recognizers[:] = [BrokenRecognizer("URL", deny_list=["x"])]
    return protection


def test_a_filter_that_fails_blocks_the_text(broken, caplog):
    stream = broken.output_stream()
    text = f"{'some words before it, ' * 6}{CARD} and after it more words"
    for call in (lambda: broken.protect_input(text), lambda: stream.feed(text), stream.close):
        with pytest.raises(FilterFailedError) as raised:
            call()
        assert "ValueError" in str(raised.value)
        error = raised.value
        while error is not None:
            assert "1111" not in str(error)
            error = error.__cause__ or error.__context__
    failure_of(raised.value)
    assert "1111" not in caplog.text


def test_a_pattern_that_times_out_blocks_the_text(masking, monkeypatch):
    monkeypatch.setattr(pattern_recognizer, "REGEX_TIMEOUT_SECONDS", 0.000001)
    with pytest.raises(FilterFailedError, match="PatternTimeoutError"):
        masking.protect_input("words " * 50)


def test_no_value_is_logged_even_at_debug(masking, caplog):
    with caplog.at_level(logging.DEBUG):
        for name in ("presidio-analyzer", "presidio-anonymizer"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        masking.protect_output(f"SSN 536-22-8726, card {CARD}, IBAN GB00 WEST 1234 5698 7654 3, ana@example.com")
    assert not [record for record in caplog.records if record.name.startswith(("presidio", "tldextract", "spacy"))]


def test_one_protection_serves_many_threads(masking):
    texts = [f"word{turn} and number{turn} write to user{turn}@example.com now" for turn in range(40)]
    answers = {}

    def run(text):
        answers[text] = masking.protect_input(text)

    threads = [threading.Thread(target=run, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("<EMAIL_ADDRESS>" in answer and "@" not in answer for answer in answers.values())
    assert len(answers) == 40


def test_words_are_not_kept(masking):
    strings = masking._filter._pipeline.vocab.strings
    before = len(strings)
    for turn in range(50):
        masking.protect_input(f"her ssn is {536 + turn}-22-8726 and unheard-of-word-{turn}")
    assert len(strings) == before


def test_importing_the_package_imports_no_presidio():
    program = (
        "import sys; import agent_runtime.data_protection as p; "
        "p.build_protection(p.ProtectionSettings('none')); p.ProtectionSettings('presidio').check(); "
        "sys.exit(any(name.startswith(('presidio', 'spacy', 'numpy', 'phonenumbers')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
