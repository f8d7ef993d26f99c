"""What shows that secrets get old, or that agents cannot read them."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from agent_runtime.secret_store import CACHE_SECONDS
from agent_runtime.telemetry.metrics import Dimensions, MetricSet
from stacks.custom_resources.key_ages import TYPED_METRIC, age_line, made_by_variable
from tests.stacks.gateways import properties
from tests.stacks.iam import Request, allows
from tests.stacks.test_isolation import OWNERS, policies_of
from tests.support.rolling_service import Clock, Vault

if TYPE_CHECKING:
    from tests.stacks.projects import Assembly

LOCKED = ["Staging", "Production"]


def alarms(assembly: Assembly, stage: str) -> dict[str, dict[str, Any]]:
    found = properties(assembly, f"{stage}/Secrets", "AWS::CloudWatch::Alarm")
    return {name.removeprefix("Watch")[:-8]: alarm for name, alarm in found.items()}


@pytest.mark.parametrize("stage", LOCKED)
def test_a_value_that_nobody_replaces_for_ninety_days_is_an_alarm(assembly: Assembly, stage: str) -> None:
    alarm = alarms(assembly, stage)["SecretOld"]

    assert (alarm["MetricName"], alarm["Threshold"], alarm["Period"]) == (TYPED_METRIC, 90, 86_400)
    assert alarm["Dimensions"] == [{"Name": "environment", "Value": stage.lower()}]
    assert f"strandline rotate --older-than 90d --env {stage.lower()}" in alarm["AlarmDescription"]


@pytest.mark.parametrize("stage", LOCKED)
def test_each_secret_that_people_set_is_looked_at_once_a_day_and_no_value_is_read(
    assembly: Assembly, stage: str
) -> None:
    (rule,) = properties(assembly, f"{stage}/Secrets", "AWS::Events::Rule").values()
    parts = [json.loads(target["Input"]) for target in rule["Targets"]]
    looked_at = {variable for part in parts for variable in part["variables"] if part["metric"] == TYPED_METRIC}
    prefix = f"strandline/{stage.lower()}/"
    secrets = properties(assembly, f"{stage}/Secrets", "AWS::SecretsManager::Secret").values()
    typed = {one["Name"].removeprefix(prefix) for one in secrets if "GenerateSecretString" not in one}
    ((_, _, role),) = assembly.resources("AWS::IAM::Role", f"{stage}/Secrets")
    policies = policies_of(role)

    def may(action: str, name: str) -> bool:
        arn = f"arn:aws:secretsmanager:{OWNERS[stage]}:secret:{name}-AbC123"
        return allows(policies, Request(f"secretsmanager:{action}", arn))

    assert rule["ScheduleExpression"] == "rate(1 day)"
    assert looked_at == typed
    assert may("ListSecretVersionIds", f"{prefix}KEY")
    assert not may("ListSecretVersionIds", "strandline/simulation/KEY")
    assert not may("GetSecretValue", f"{prefix}KEY")


@pytest.mark.parametrize("stage", LOCKED)
def test_agents_that_cannot_read_a_secret_are_an_alarm_over_all_of_them(assembly: Assembly, stage: str) -> None:
    stale, unreadable = alarms(assembly, stage)["SecretsStale"], alarms(assembly, stage)["SecretsUnreadable"]
    lines: list[str] = []
    handler = MetricSet(Dimensions(stage.lower(), "tide", "1.0.0"), lines.append)
    handler.record("SecretAge", 700, "Seconds")
    handler.count("SecretRefreshFailures", 1)
    handler.flush()
    (directive,) = json.loads(lines[0])["_aws"]["CloudWatchMetrics"]

    for alarm, metric in ((stale, "MAX(SecretAge)"), (unreadable, "SUM(SecretRefreshFailures)")):
        (query,) = alarm["Metrics"]
        schema = f'FROM SCHEMA("{directive["Namespace"]}", agent, environment)'
        assert query["Expression"] == f"SELECT {metric} {schema} WHERE environment = '{stage.lower()}'"
        assert ["environment", "agent"] in directive["Dimensions"]
        assert metric[4:-1] in {one["Name"] for one in directive["Metrics"]}
        assert alarm["TreatMissingData"] == "notBreaching"
    assert stale["Threshold"] == 2 * CACHE_SECONDS
    assert (unreadable["Threshold"], unreadable["EvaluationPeriods"]) == (0, 3)


@pytest.mark.parametrize("stage", ["Local", "Simulation"])
def test_where_faults_are_simulated_nobody_is_told(assembly: Assembly, stage: str) -> None:
    assert alarms(assembly, stage) == {}
    assert not properties(assembly, f"{stage}/Secrets", "AWS::Lambda::Function")


def test_the_age_is_that_of_the_oldest_value_and_what_has_none_hides_no_other() -> None:
    clock = Clock()
    vault = Vault(clock, **{"a/OLD": "canary", "a/EMPTY": "canary"})
    vault.update_secret_version_stage(
        SecretId="a/EMPTY", VersionStage="AWSCURRENT", RemoveFromVersionId="first-of-a/EMPTY"
    )
    clock.now += dt.timedelta(days=100)
    vault.add("a/NEW", "canary")
    clock.now += dt.timedelta(days=1)

    line = age_line(TYPED_METRIC, made_by_variable(vault, "a/", ["OLD", "EMPTY", "GONE", "NEW"]), "staging", clock.now)

    told = json.loads(line)
    assert (told[TYPED_METRIC], told["oldest"], told["keys"]) == (101, "OLD", 2)
    assert "canary" not in line
