"""The run of an agent's checks, and the gate that stands on it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from stacks.custom_resources.check_run import CheckRun, Endpoint
from stacks.custom_resources.checks import Gate
from stacks.custom_resources.events import Change, ChangeFailed
from tests.checks.agents import Agents, Control, Store, done

ARN = "arn:aws:bedrock-agentcore:eu-west-1:111111111111:runtime/production_tide-abc"
ENDPOINT = Endpoint("tide", ARN, "candidate", "HTTP")
CHECK = {"name": "tells", "prompt": "When?", "contains": ["six"]}


def plan(*checks, **more):
    settings = {"repetitions": 1, "pass_threshold": 1.0, "max_cost_usd": None, "judge_model": None}
    return {**settings, "checks": list(checks), **more}


def run(agents, *checks, remaining=lambda: 100.0, judge=None, **more):
    return CheckRun(agents, ENDPOINT, plan(*checks, **more), remaining=remaining, judge=judge).run()


def test_each_repetition_is_a_session_of_its_own_on_the_candidate_and_is_ended():
    agents = Agents(**{"When?": [done()]})

    report = run(agents, CHECK, repetitions=3)

    assert report.passed
    assert [(case.name, case.runs, case.passes) for case in report.cases] == [("starts", 1, 1), ("tells", 3, 3)]
    assert len(set(agents.sessions)) == 4
    assert sorted(agents.stopped) == sorted(agents.sessions)
    assert agents.qualifiers == {"candidate"}
    assert report.bundle == "b" * 64


@pytest.mark.parametrize(("threshold", "passed"), [(0.7, True), (0.8, False), (1.0, False)])
def test_as_many_repetitions_must_pass_as_the_threshold_says(threshold, passed):
    script = [done() if number < 7 else done("Never.") for number in range(10)]

    report = run(Agents(**{"When?": script}), CHECK, repetitions=10, pass_threshold=threshold)

    assert (report.passed, report.cases[1].passes) == (passed, 7)
    assert report.cases[1].reasons == ["the answer does not hold 'six'"]


def test_of_a_version_that_does_not_answer_nothing_else_is_asked():
    agents = Agents(**{"When?": [done()]})
    agents.probe = ClientError({"Error": {"Code": "RuntimeClientError", "Message": "no start"}}, "InvokeAgentRuntime")

    report = run(agents, CHECK)

    assert not report.passed
    assert report.summary() == (
        "check 'starts' failed, 0 of 1 runs passed: the new version does not answer: "
        "AgentCore refuses (RuntimeClientError): no start"
    )
    assert not agents.asked


def test_a_version_without_its_secret_does_not_start():
    agents = Agents()
    agents.probe = {"error": {"type": "secret_unavailable", "message": "strandline/x/KEY is not there.", "id": "1"}}

    assert "strandline/x/KEY is not there. (secret_unavailable, id 1 in the log)" in run(agents).summary()


def test_what_would_come_after_the_budget_or_the_time_is_not_run_and_fails():
    agents = Agents(**{"When?": [done(cost_usd=0.2)]})
    spent = run(agents, CHECK, repetitions=20, max_cost_usd=0.5)
    late = run(agents, CHECK, remaining=lambda: 0.0)

    assert not spent.passed
    assert agents.asked["When?"] < 20
    assert spent.cases[1].cost_usd == pytest.approx(0.2 * agents.asked["When?"])
    assert "gate.max_cost_usd is 0.5" in spent.summary()
    assert "the time for all checks is over" in late.summary()


def test_a_stream_that_breaks_off_fails_its_check_and_no_other():
    agents = Agents(**{"When?": [done()], "Where?": [done()]})
    agents.broken.add("Where?")

    report = run(agents, CHECK, {"name": "breaks", "prompt": "Where?", "contains": ["six"]})

    assert [(case.name, case.passed) for case in report.cases] == [("starts", True), ("tells", True), ("breaks", False)]
    assert report.cases[2].reasons == ["the agent failed: The agent's stream broke off (ReadTimeoutError)."]


def test_a_judge_is_told_question_answer_and_criterion():
    heard = []

    def judge(*told):
        heard.append(told)
        return ["the judge says: rude"]

    report = run(Agents(**{"When?": [done()]}), {**CHECK, "judge": "It is polite."}, judge=judge)

    assert heard == [("When?", "High water at six.", "It is polite.")]
    assert "the judge says: rude" in report.summary()


def gate(agents, control=None, store=None):
    return Gate(
        agents=agents,
        control=control or Control(live="3", previous="2"),
        store=store or Store(),
        bucket="records",
        judge_of=lambda model: None,
        remaining=lambda: 100.0,
        now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
    )


def change(kind="Update", physical_id=None, **more):
    properties = {
        "Agent": "tide",
        "Environment": "production",
        "RuntimeArn": ARN,
        "Version": "4",
        "Endpoint": "candidate",
        "Protocol": "HTTP",
        "Bundle": "b" * 64,
        "Code": "c" * 64,
        "Role": "arn:role",
        "Settings": {"STRANDLINE_ENVIRONMENT": "production"},
        "Plan": json.dumps(plan(CHECK)),
    }
    return Change(kind, "request", physical_id, {**properties, **more})


def test_what_passes_is_recorded_under_its_hash_which_is_in_the_gates_id():
    store = Store()

    made = gate(Agents(**{"When?": [done()]}), store=store).make(change())

    ((key, content),) = store.objects.items()
    digest = hashlib.sha256(content).hexdigest()
    assert key == f"checks/tide/{digest}.json"
    assert made.physical_id.endswith(f"-{digest}")
    told = json.loads(content)
    assert (told["passed"], told["bundle"], told["code"], told["version"]) == (True, "b" * 64, "c" * 64, "4")
    assert told["at"] == "2026-11-21T00:00:00+00:00"
    assert made.attributes == {"Previous": "3"}


def test_what_does_not_pass_is_recorded_and_says_why_and_the_gate_stays_what_it_was():
    store = Store()

    with pytest.raises(ChangeFailed) as failed:
        gate(Agents(**{"When?": [done("Never.")]}), store=store).make(change(physical_id="before"))

    assert str(failed.value) == (
        "version 4 of tide in production did not pass, and `live` was not moved: "
        "check 'tells' failed, 0 of 1 runs passed: the answer does not hold 'six'"
    )
    assert failed.value.physical_id == "before"
    assert [json.loads(content)["passed"] for content in store.objects.values()] == [False]


def test_a_rollback_asks_nothing_of_what_has_passed_already():
    made = gate(Agents(**{"When?": [done()]})).make(change())
    out = Agents()  # nobody answers any more

    # CloudFormation makes another version of what was there before.
    again = gate(out, Control(live="4", previous="3")).make(change(physical_id=made.physical_id, Version="6"))

    assert again.physical_id == made.physical_id
    assert again.attributes == {"Previous": "4"}
    assert out.sessions == []


@pytest.mark.parametrize("name", ["Bundle", "Code", "Role", "Plan", "Settings"])
def test_whatever_makes_a_difference_is_checked_again(name):
    made = gate(Agents(**{"When?": [done()]})).make(change())
    agents = Agents(**{"When?": [done()]})
    other = {"Plan": json.dumps(plan(CHECK, repetitions=2)), "Settings": {"A": "b"}}.get(name, "d" * 64)

    again = gate(agents).make(change(physical_id=made.physical_id, **{name: other}))

    assert agents.asked["When?"]
    assert again.physical_id != made.physical_id


def test_the_first_version_holds_itself_and_one_that_is_live_already_leaves_what_was_held():
    for versions, held in (
        ({}, "4"),
        ({"live": "4"}, "4"),
        ({"live": "4", "previous": "2"}, "2"),
        ({"live": "3"}, "3"),
    ):
        made = gate(Agents(**{"When?": [done()]}), Control(**versions)).make(change("Create"))
        assert made.attributes == {"Previous": held}


def test_nothing_is_asked_when_the_agent_goes():
    agents = Agents()
    assert gate(agents).make(change("Delete", "before")) == "before"
    assert agents.sessions == []
