"""What `strandline status` counts: releases that the environment before is ahead, and what a month cost."""

from __future__ import annotations

import datetime as dt

import pytest

from agent_runtime.errors import EnvironmentFault
from stacks.releases.lock import ReleaseLock
from strandline.inventory import DeployedAgent
from strandline.next_door import MOST, NextDoor, look_next_door
from strandline.usage import Usage, read_usage
from tests.releases.releases import entry
from tests.releases.world import StubbedTarget

ARN = "arn:aws:bedrock-agentcore:eu-west-1:111111111111:runtime/simulation_tide-0123456789"
NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
CODE = "a" * 64


def sha256(release):
    return f"{release:064x}"


def agent(release, live="1"):
    endpoints = {"version": live, "live": live, "candidate": live, "previous": live}
    return DeployedAgent("tide", "simulation_tide", ARN, bundle=sha256(release), code=CODE, status="READY", **endpoints)


@pytest.fixture
def simulation():
    with StubbedTarget("simulation", is_locked=False) as target:
        yield target


def has_versions(target, *releases):
    """Versions 1, 2, ... of a runtime, each of a release; the newest are looked at first."""
    control = target.stub("bedrock-agentcore-control")
    runtime = {"agentRuntimeArn": ARN, "agentRuntimeId": "simulation_tide-0123456789"}
    told = {**runtime, "agentRuntimeName": "simulation_tide", "lastUpdatedAt": NOW, "status": "READY"}
    listed = [
        {**told, "agentRuntimeVersion": str(number), "description": "Tides."} for number in range(1, len(releases) + 1)
    ]
    control.add_response("list_agent_runtime_versions", {"agentRuntimes": listed})
    return control, told


def describes(control, told, number, release):
    code = {"code": {"s3": {"bucket": "b", "prefix": f"{CODE}.zip"}}, "runtime": "PYTHON_3_13", "entryPoint": ["main"]}
    answer = {
        **{**told, "agentRuntimeVersion": str(number), "createdAt": NOW, "roleArn": "arn:aws:iam::111111111111:role/r"},
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "lifecycleConfiguration": {},
        "agentRuntimeArtifact": {"codeConfiguration": code},
        "environmentVariables": {"STRANDLINE_BUNDLE": f"s3://b/bundles/{sha256(release)}.json"},
    }
    asked = {"agentRuntimeId": told["agentRuntimeId"], "agentRuntimeVersion": str(number)}
    control.add_response("get_agent_runtime", answer, asked)


def test_the_same_release_is_known_without_asking(simulation):
    assert look_next_door(agent(7), None, simulation, agent(7)) == NextDoor("simulation", 0)


def test_an_overlay_makes_another_bundle_of_the_same_release(simulation):
    """The lock says which bundle it was where it was promoted from."""
    promoted = entry(sha256(8), artefact=CODE, source_bundle=sha256(7))
    lock = ReleaseLock(environment="staging").with_entries({"tide": promoted})

    assert look_next_door(agent(8), lock, simulation, agent(7)) == NextDoor("simulation", 0)


def test_releases_are_counted_and_versions_that_bring_nothing_new_are_not(simulation):
    # Given release 3 was deployed, checked and rolled back by CloudFormation before it was mended
    releases = (1, 2, 3, 2, 4)
    control, told = has_versions(simulation, *releases)
    for number in (5, 4):
        describes(control, told, number, releases[number - 1])
    # When, then
    assert look_next_door(agent(2), None, simulation, agent(4, "5")) == NextDoor("simulation", 1)


def test_what_is_newer_than_live_is_not_ahead(simulation):
    control, told = has_versions(simulation, 1, 2, 3)
    for number in (2, 1):
        describes(control, told, number, number)

    assert look_next_door(agent(1), None, simulation, agent(2, "2")) == NextDoor("simulation", 1)


def test_a_release_that_the_environment_before_never_ran_is_another(simulation):
    control, told = has_versions(simulation, 1)
    describes(control, told, 1, 1)

    assert look_next_door(agent(9), None, simulation, agent(1)) == NextDoor("simulation", None)


def test_releases_are_counted_to_a_bound(simulation):
    many = range(1, MOST + 10)
    control, told = has_versions(simulation, *many)
    for number in reversed(many[-MOST:]):
        describes(control, told, number, number)

    assert look_next_door(agent(1), None, simulation, agent(MOST + 9, str(MOST + 9))).ahead is None


def test_a_months_cost_is_the_sum_of_what_the_handlers_told_day_by_day():
    with StubbedTarget() as target:
        told = {"i0": [2.0, 5.0], "c0": [0.25, 0.5], "i1": [3.0], "c1": []}
        results = [{"Id": name, "Values": values, "StatusCode": "Complete"} for name, values in told.items()]
        target.stub("cloudwatch").add_response(
            "get_metric_data",
            {"MetricDataResults": results},
            {
                "MetricDataQueries": queries("tide", "moon"),
                "StartTime": dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
                "EndTime": NOW,
            },
        )

        assert read_usage(target, ["tide", "moon"], NOW) == {"tide": Usage(7, 0.75), "moon": Usage(3, None)}


def queries(*agents):
    return [
        {
            "Id": f"{kind}{index}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "Strandline",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "environment", "Value": "staging"}, {"Name": "agent", "Value": agent}],
                },
                "Period": 86_400,
                "Stat": "Sum",
            },
        }
        for index, agent in enumerate(agents)
        for kind, metric in (("i", "Invocations"), ("c", "CostUsd"))
    ]


def test_of_no_agent_nothing_is_asked_and_a_refusal_is_told_by_its_code():
    with StubbedTarget() as target:
        assert read_usage(target, [], NOW) == {}
        target.stub("cloudwatch").add_client_error("get_metric_data", "AccessDenied", "arn:aws:iam::1:user/eve may not")

        with pytest.raises(EnvironmentFault, match=r"what the agents of staging did \(AccessDenied\)\.$"):
            read_usage(target, ["tide"], NOW)
