"""Each trap that `docs/gateway.md` answers names the tests that hold it; and the log's own trap."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path

from gateway.proxy import metrics

ROOT = Path(__file__).parents[2]
LINE = {"text": "x" * 1000}


def section():
    text = (ROOT / "docs" / "gateway.md").read_text()
    return text.partition("## Known traps, and our answers")[2].partition("\n## ")[0]


def test_every_trap_names_tests_that_exist():
    rows = [row for row in section().splitlines() if row.startswith("| ")][1:]

    assert len(rows) >= 6
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, name in named:
            assert f"def {name}(" in (ROOT / file).read_text(), f"{file} has no {name}"


def test_line_is_taken_at_once_while_nobody_reads_the_log(monkeypatch):
    """A full pipe holds its writer; were that the proxy's event loop, every request would wait for the log's reader."""
    reading, writing = os.pipe()
    monkeypatch.setattr(metrics, "_MOST_WAITING", 500)
    with os.fdopen(writing, "w") as stdout, os.fdopen(reading) as log:
        monkeypatch.setattr("sys.stdout", stdout)
        writer = metrics.LineWriter()

        # More than the pipe and the queue hold together, from this thread: it comes to an end.
        for _ in range(2000):
            writer.write(LINE)

        # Now somebody reads, and is told how many lines were lost.
        lost = 0
        while not lost:
            told = json.loads(log.readline())
            lost = told.get("lost_lines", 0)
        assert told["text"] == LINE["text"]
        assert 0 < lost < 2000
        reader = threading.Thread(target=log.read, daemon=True)
        reader.start()
        writer.close()
        stdout.close()
        reader.join(30)


def test_line_carries_the_numbers_twice_where_a_namespace_is_set(monkeypatch):
    numbers = {metrics.REQUESTS: 1.0, metrics.LATENCY: 12.5}
    monkeypatch.delenv(metrics.NAMESPACE, raising=False)
    plain = metrics.line_of(numbers, {"model": "demo", "team": None})
    monkeypatch.setenv(metrics.NAMESPACE, "House")
    monkeypatch.setenv(metrics.ENVIRONMENT, "staging")

    line = metrics.line_of(numbers, {"model": "demo"})

    assert plain == {"model": "demo", "Environment": "unknown", **numbers}
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("House", [["Environment"]])
    assert directive["Metrics"] == [
        {"Name": "Requests", "Unit": "Count"},
        {"Name": "Latency", "Unit": "Milliseconds"},
    ]
    assert all(metric["Name"] in line for metric in directive["Metrics"])
    assert line["Environment"] == "staging"
