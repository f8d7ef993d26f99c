"""The handler's lines as `strandline local logs` shows them."""

from __future__ import annotations

import json
import logging

import pytest

from agent_runtime.telemetry import metrics
from agent_runtime.telemetry.logs import JsonFormatter
from strandline.local_cloud.log_lines import readable
from strandline.local_cloud.logs import LogReader


def written(**extra):
    record = logging.LogRecord("agent_runtime.failures", logging.ERROR, "m.py", 1, "it <%s>", ("failed",), None)
    record.__dict__.update(extra)
    return JsonFormatter().format(record)


def test_a_line_of_the_log_is_a_sentence_again():
    told = readable(written(failure_id="f-1"))

    time, rest = told.split(" ", 1)
    assert len(time) == len("08:40:30.123")
    assert rest == "ERROR agent_runtime.failures it <failed> failure_id=f-1"


def test_a_stack_follows_on_lines_of_its_own():
    line = json.loads(written()) | {"exception": "KeyError", "stack": "  File a\n    b\n"}

    assert readable(json.dumps(line)).endswith(" exception=KeyError\n      File a\n        b")


def test_metrics_are_names_and_values(capsys):
    metrics.configure(metrics.Dimensions("test", "tide", "1.0.0"))
    try:
        with metrics.invocation():
            metrics.count("Invocations")
            metrics.record("Latency", 12.34567891, "Milliseconds")
    finally:
        metrics.configure(None)

    assert readable(capsys.readouterr().out.strip()) == "METRICS Invocations=1 Latency=12.345679"


@pytest.mark.parametrize("line", ["plain text", "{", "{}", '{"level": "INFO"}', "[1]", '{"_aws', "null"])
def test_other_lines_stay_as_they_are(line):
    assert readable(line) == line


@pytest.mark.parametrize("line", ['{"_aws": 1}', '{"_aws": {"CloudWatchMetrics": []}}'])
def test_metrics_of_another_shape_are_no_reason_to_stop(line):
    assert readable(line) == "METRICS "


@pytest.mark.parametrize("raw", [True, False])
def test_the_reader_gives_either(tmp_path, raw):
    (tmp_path / "session.log").write_text(f"{written()}\nplain\n")

    first, second = LogReader(tmp_path).read(None, follow=False, lines=None, raw=raw)

    assert first.startswith("session: {") is raw
    assert second == "session: plain"
