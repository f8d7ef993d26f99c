"""What people see of a canary, and how they end it: `canary`, `rollback`, `status`, `drift`, `promote`."""

from __future__ import annotations

import json

import pytest

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.custom_resources.canary_records import ALL, BACK, Outcome
from strandline.canaries import end_canary, require_no_canary, running_canary, why_not_live
from strandline.commands import canary as canary_command
from strandline.commands import rollback as rollback_command
from strandline.deployed_stacks import list_stacks
from strandline.drift import Drift, _of_live
from strandline.inventory import list_agents
from strandline.releases.running import DeployedRelease
from tests.checks.canary_world import Operator, World, lines, route


@pytest.fixture
def operator(monkeypatch):
    """Version 8 is a canary beside 7; the commands open this environment."""
    world = World()
    world.canaries.begin(route(), "deployment")
    world.logs.lines = lines(10, 90)
    made = Operator(world)
    for command in (canary_command, rollback_command):
        monkeypatch.setattr(command, "open_target", lambda *_: made)
    return made


def run(capsys, tmp_path, **options):
    canary_command.canary("tide", "production", as_json=True, environments=tmp_path / "environments.yaml", **options)
    return json.loads(capsys.readouterr().out)


def shown(capsys, tmp_path, **options):
    canary_command.canary("tide", "production", environments=tmp_path / "environments.yaml", **options)
    return capsys.readouterr()


def test_it_shows_share_time_and_the_figures_of_both_sides(operator, capsys, tmp_path):
    told = shown(capsys, tmp_path)

    assert "Version 8 of tide gets 10% of new sessions until 2027-01-15 08:30 UTC; live is version 7." in told.err
    assert "sessions with failures" in told.out
    figures = run(capsys, tmp_path)["figures"]
    assert (figures["canary"]["sessions"], figures["live"]["sessions"]) == (10, 90)
    assert operator.world.control.moves == []


def test_by_hand_it_goes_to_all_or_back_and_says_who_and_why(operator, capsys, tmp_path):
    told = run(capsys, tmp_path, promote=True, reason="the fault was the test's")

    assert told["running"] is None
    assert told["last"]["by"] == "arn:aws:iam::111111111111:user/ada"
    assert told["last"]["reason"] == "went to all: the fault was the test's"
    assert told["last"]["figures"]["live"]["sessions"] == 90
    assert operator.world.control.versions["live"] == "8"
    with pytest.raises(InputError, match="No canary of tide runs"):
        run(capsys, tmp_path, promote=True)


def test_back_says_how_it_ended_also_when_it_went_back_by_itself(operator, capsys, tmp_path):
    operator.world.canaries.end(route(), Outcome(BACK, "failures: 5 of 5", "watcher"))

    told = shown(capsys, tmp_path, back=True)

    assert "The canary of tide in production, version 8, went back: failures: 5 of 5 (watcher, 20" in told.err
    assert operator.world.control.moves == [("canary", "7")]


def test_two_ends_at_once_are_refused_and_the_second_to_end_it_is_told(operator, capsys, tmp_path):
    with pytest.raises(InputError, match="two ends"):
        run(capsys, tmp_path, promote=True, back=True)
    operator.world.canaries.end(route(), Outcome(BACK, "failures", "watcher"))
    with pytest.raises(InputError, match="ended by somebody else meanwhile"):
        end_canary(operator, route(), ALL, "by hand")


def test_a_rollback_ends_a_canary_and_leaves_live_where_it_is(operator, tmp_path, capsys):
    rollback_command.rollback("tide", "production", as_json=True, environments=tmp_path / "environments.yaml")

    told = json.loads(capsys.readouterr().out)
    assert (told["from"], told["to"], told["canary"]) == ("7", "7", "8")
    assert running_canary(operator, "tide") is None
    assert operator.world.control.moves == [("canary", "7")]
    assert operator.world.record("8")["reason"] == "went back: it was rolled back"


def test_a_rollback_to_a_version_ends_it_and_goes_there(operator, tmp_path, capsys):
    rollback_command.rollback("tide", "production", to="6", environments=tmp_path / "environments.yaml")

    assert operator.world.control.moves == [("canary", "7"), ("live", "6")]
    assert "The canary of tide in production, version 8, went back." in capsys.readouterr().err


def test_a_rollback_to_a_version_that_is_not_there_leaves_the_canary_running(operator, tmp_path):
    with pytest.raises(InputError, match="no version 99: AgentCore keeps 8"):
        rollback_command.rollback("tide", "production", to="99", environments=tmp_path / "environments.yaml")

    assert running_canary(operator, "tide") is not None


def test_status_shows_it_and_nothing_is_promoted_on_meanwhile(operator):
    (agent,) = list_agents(operator, list_stacks(operator))
    assert agent.canary == "version 8 gets 10% of new sessions until 2027-01-15 08:30 UTC"
    with pytest.raises(InputError, match="A canary of tide runs in production: version 8, 10% of new sessions until"):
        require_no_canary(operator, ["sand", "tide"])
    require_no_canary(operator, ["sand"])


def test_drift_says_that_a_canary_is_why_live_is_not_what_was_deployed(operator):
    release = DeployedRelease("tide", "8", "c")

    (runs,) = _of_live(operator, release)
    operator.world.canaries.end(route(), Outcome(BACK, "failures: 5 of 5", "watcher"))
    (back,) = _of_live(operator, release)

    assert isinstance(runs, Drift)
    assert (runs.kind, back.kind) == ("canary", "canary")
    assert "answers with version 7, not with what was deployed last: version 8 is a canary" in runs.message
    assert "the canary of version 8 went back: failures: 5 of 5 (watcher, 20" in back.message
    operator.world.store.objects.clear()
    assert why_not_live(operator, "tide") is None


def test_a_parameter_that_is_none_of_ours_is_told_by_its_agent(operator):
    operator.world.parameters.values["/strandline/production/tide/canary"] = "{}"

    with pytest.raises(
        EnvironmentFault, match="The canary of tide in production cannot be read: the parameter is no route"
    ):
        running_canary(operator, "tide")
