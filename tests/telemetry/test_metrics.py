"""Metrics: one line of the Embedded Metric Format for each invocation, and nothing when they are off."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from contextlib import aclosing

import pytest

from agent_runtime.telemetry import metrics

MINE = metrics.Dimensions(environment="staging", agent="hello", version="1.2.0")


@pytest.fixture(autouse=True)
def configured():
    metrics.configure(MINE)
    yield
    metrics.configure(None)


@pytest.fixture
def lines(capsys):
    """The lines that were written since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_invocation_writes_one_line_that_cloudwatch_reads(lines):
    with metrics.invocation():
        metrics.count("Invocations")
        metrics.record("Latency", 12.5, "Milliseconds")
        metrics.record("CostUsd", 0.004, "None")
        metrics.note("session_id", "s" * 33)
        assert lines() == []

    [line] = lines()
    aws = line.pop("_aws")
    assert line == {
        "environment": "staging",
        "agent": "hello",
        "version": "1.2.0",
        "session_id": "s" * 33,
        "Invocations": 1,
        "Latency": 12.5,
        "CostUsd": 0.004,
    }
    assert isinstance(aws["Timestamp"], int)
    assert aws["CloudWatchMetrics"] == [
        {
            "Namespace": "Strandline",
            "Dimensions": [["environment", "agent"], ["environment", "agent", "version"]],
            "Metrics": [
                {"Name": "Invocations", "Unit": "Count"},
                {"Name": "Latency", "Unit": "Milliseconds"},
                {"Name": "CostUsd", "Unit": "None"},
            ],
        }
    ]


def test_counts_are_summed_and_values_kept_up_to_the_formats_bound(lines):
    with metrics.invocation():
        metrics.count("Retries", 2)
        metrics.count("Retries")
        for value in range(150):
            metrics.record("Wait", value, "Milliseconds")

    [line] = lines()
    assert line["Retries"] == 3
    assert line["Wait"] == list(range(100))


def test_an_invocation_that_fails_writes_its_line_too(lines):
    with pytest.raises(ValueError, match="broken"), metrics.invocation():
        metrics.count("Failures")
        raise ValueError("broken")

    assert [line["Failures"] for line in lines()] == [1]


def test_what_happens_outside_of_an_invocation_or_after_it_gets_a_line_of_its_own(lines):
    metrics.count("SecretRefreshes")
    with metrics.invocation():
        metrics.count("Invocations")
    metrics.count("StaleSecrets")

    told = [{name for name in line if name[0].isupper()} for line in lines()]
    assert told == [{"SecretRefreshes"}, {"Invocations"}, {"StaleSecrets"}]


def test_an_invocation_in_which_nothing_was_counted_writes_nothing(lines):
    with metrics.invocation():
        metrics.note("session_id", "s")

    assert lines() == []


def test_invocations_side_by_side_do_not_mix(lines):
    async def invoke(number):
        with metrics.invocation():
            metrics.note("session_id", str(number))
            for _ in range(number):
                metrics.count("Calls")
                await asyncio.sleep(0)

    async def both():
        await asyncio.gather(*map(invoke, range(1, 9)))

    asyncio.run(both())

    assert {line["session_id"]: line["Calls"] for line in lines()} == {str(n): n for n in range(1, 9)}


def test_an_agent_closed_from_another_context_writes_its_line(lines):
    async def events():
        with metrics.invocation():
            metrics.count("Invocations")
            yield 1
            yield 2

    async def leave():
        async with aclosing(events()) as running:
            # Each in a task, and so in a context, of its own.
            await asyncio.create_task(running.__anext__())
            await asyncio.create_task(running.aclose())

    asyncio.run(leave())

    assert [line["Invocations"] for line in lines()] == [1]


def test_threads_lose_no_count(lines):
    ready = threading.Barrier(8)

    def count(into):
        ready.wait()
        for _ in range(2000):
            into.count("Calls", 1)

    written = []
    shared = metrics.MetricSet(MINE, written.append)
    threads = [threading.Thread(target=count, args=[shared]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.flush()

    assert json.loads(written[0])["Calls"] == 16_000


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_to_json_is_not_recorded(lines, value):
    metrics.record("Latency", value, "Milliseconds")

    assert lines() == []


def test_off_writes_nothing(lines):
    metrics.configure(None)
    with metrics.invocation():
        metrics.count("Invocations")
        metrics.record("Latency", 1, "Milliseconds")
        metrics.note("session_id", "s")
    metrics.count("SecretRefreshes")

    assert lines() == []


def test_importing_the_module_loads_no_client_and_no_telemetry_library():
    code = "import agent_runtime.telemetry.metrics, sys; print(*{n.partition('.')[0] for n in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )

    assert not loaded & {"boto3", "botocore", "opentelemetry", "strands", "pydantic", "logging"}
