"""Log lines: what is in them, and what of libraries is not."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from agent_runtime.telemetry import logs
from agent_runtime.telemetry.logs import JsonFormatter

CANARY = "sk-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def origin(monkeypatch):
    monkeypatch.setattr(logs, "_origin", {"agent": "tide"})


def line(name, message, *values, level=logging.WARNING, error=None, **extra):
    """A record's line, read again."""
    told = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, level, "module.py", 7, message, values, told)
    record.__dict__.update(extra)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def raised(error):
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_line_says_when_what_and_whose():
    told = line("agent_runtime.x", "a=<%s> | said", "b", failure_id="f-1")

    assert told["timestamp"].endswith("Z")
    assert len(told["timestamp"]) == len("2026-11-21T08:40:30.123Z")
    assert (told["level"], told["logger"], told["message"]) == ("WARNING", "agent_runtime.x", "a=<b> | said")
    assert (told["agent"], told["failure_id"]) == ("tide", "f-1")


@pytest.mark.parametrize("text", ["two\nlines", 'a "quote"', "\ud83d", "\u2028", "\x00"])
def test_no_text_breaks_the_line(text):
    assert line("agent_runtime", "%s", text)["message"] == text


def test_lines_of_invocations_side_by_side_have_their_own_session():
    async def invoke(session):
        logs.begin_invocation(session=session, trace_id=None)
        await asyncio.sleep(0)
        return await asyncio.to_thread(line, "agent_runtime", "said")

    async def both():
        return await asyncio.gather(invoke("one"), invoke("two"))

    assert [told["session"] for told in asyncio.run(both())] == ["one", "two"]
    assert "session" not in line("agent_runtime", "said")


@pytest.mark.parametrize("name", ["agent_runtime.x", "asyncio", "my_tools.weather"])
def test_an_exceptions_text_is_not_told_but_where_it_came_from(name):
    told = line(name, "it failed: %s", raised(ValueError(CANARY)), error=raised(KeyError(CANARY)))

    assert CANARY not in json.dumps(told)
    assert (told["message"], told["exception"]) == ("it failed: ValueError", "KeyError")
    assert "in raised" in told["stack"]


def test_values_of_libraries_that_handle_keys_are_not_told():
    assert line("httpx", "sent %s to %s", CANARY, "https://x")["message"] == "sent %s to %s"
    assert line("strands.models.openai", "config=<%s>", CANARY)["message"] == "config=<%s>"


@pytest.mark.parametrize("name", ["LiteLLM", "LiteLLM Router", "litellm.utils"])
def test_a_library_that_mixes_values_into_its_texts_is_not_quoted(name):
    told = line(name, f"failed with {CANARY}")

    assert CANARY not in json.dumps(told)
    assert "module:7" in told["message"]


def test_a_mistake_of_who_logs_does_not_cost_the_line():
    assert line("my_tools", "%d of %d", "one")["message"] == "%d of %d"


def test_what_ends_a_thread_is_logged_without_its_text(caplog):
    error = raised(RuntimeError(CANARY))
    logs._log_uncaught(RuntimeError, error, error.__traceback__)

    [record] = caplog.records
    assert CANARY not in JsonFormatter().format(record)
    assert json.loads(JsonFormatter().format(record))["exception"] == "RuntimeError"


def test_an_end_that_was_asked_for_is_no_fault(caplog):
    logs._log_uncaught(SystemExit, SystemExit(0), None)

    assert caplog.records == []
