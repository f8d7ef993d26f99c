"""The documentation names what the code writes."""

from __future__ import annotations

import re
from pathlib import Path

from agent_runtime.model_answers import ModelAnswers
from agent_runtime.telemetry import observer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "observability.md").read_text()
CALL = re.compile(r"metrics\.(?:count|record)\(\s*\"(\w+)\"")


def written_metrics():
    sources = "".join(path.read_text() for path in (ROOT / "agent_runtime").rglob("*.py"))
    by_outcome = {"Failures", "Refusals"}
    assert all(f'"{name}"' in sources for name in by_outcome)
    return {*CALL.findall(sources), *by_outcome, *observer._OF_USAGE.values(), *observer._OF_WARNINGS.values()}


def documented(heading):
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }


def test_every_metric_is_documented_and_no_other():
    assert documented("Metrics") == written_metrics()
    assert len(written_metrics()) > 15


def test_every_member_of_an_answer_is_documented():
    members = ModelAnswers().as_members("m")

    named = {f"model.{name}" for name in members["model"]} | (members.keys() - {"model"})
    told = documented("What really answered")
    assert {name for name in named if name not in told} == set()


def test_every_warning_is_documented():
    assert observer._OF_WARNINGS.keys() <= documented("What really answered")
