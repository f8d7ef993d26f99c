"""What shows that the gateway is not well: metrics of its log, alarms, a dashboard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.proxy import metrics
from gateway.proxy.bootstrap import START_MESSAGE
from tests.stacks.gateways import properties

if TYPE_CHECKING:
    from tests.stacks.projects import Assembly

SERVING = ["Staging", "Production"]


@pytest.fixture(params=SERVING)
def stack(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/Gateway"


def alarms(assembly: Assembly, stack: str) -> dict[str, dict[str, Any]]:
    """The alarms by the end of their id, without its hash."""
    found = properties(assembly, stack, "AWS::CloudWatch::Alarm")
    return {name.removeprefix("Watch")[:-8]: alarm for name, alarm in found.items()}


def filters(assembly: Assembly, stack: str) -> dict[str, tuple[str, str]]:
    """Pattern and value by the metric that a filter makes."""
    return {
        transformation["MetricName"]: (found["FilterPattern"], transformation["MetricValue"])
        for found in properties(assembly, stack, "AWS::Logs::MetricFilter").values()
        for transformation in found["MetricTransformations"]
    }


def test_everything_that_can_go_wrong_has_an_alarm(assembly: Assembly, stack: str) -> None:
    assert set(alarms(assembly, stack)) == {
        "ErrorRate",
        "P99",
        "Fallbacks",
        "Budget",
        "Restarts",
        "InternalTasks5xx",
        "InternalBalancer5xx",
        "InternalUnhealthy",
    }


@pytest.mark.parametrize("stage", ["Local", "Simulation"])
def test_where_faults_are_simulated_only_restarts_have_an_alarm(assembly: Assembly, stage: str) -> None:
    assert set(alarms(assembly, f"{stage}/Gateway")) == {"Restarts"}
    assert not properties(assembly, f"{stage}/Gateway", "AWS::CloudWatch::Dashboard")


def test_no_requests_are_no_alarm(assembly: Assembly, stack: str) -> None:
    assert {alarm["TreatMissingData"] for alarm in alarms(assembly, stack).values()} == {"notBreaching"}


def test_the_log_is_counted_by_the_names_that_the_proxy_writes(assembly: Assembly, stack: str) -> None:
    found = filters(assembly, stack)

    counted = set(found) - {"Starts"}
    assert counted <= set(metrics.UNITS)
    assert {name for name in counted if found[name][1] != f"$.{name}"} == set()
    line = metrics.line_of(dict.fromkeys(counted, 1), {})
    assert all(found[name][0].split()[1].removeprefix("$.") in line for name in counted)


def test_tasks_that_start_are_counted_by_what_the_bootstrap_says(assembly: Assembly, stack: str) -> None:
    assert filters(assembly, stack)["Starts"] == (f'{{ $.message = "{START_MESSAGE}" }}', "1")


def test_a_share_of_few_requests_says_nothing(assembly: Assembly, stack: str) -> None:
    for name in ("ErrorRate", "Fallbacks"):
        (expression,) = [
            metric["Expression"] for metric in alarms(assembly, stack)[name]["Metrics"] if "Expression" in metric
        ]
        assert expression == "IF(whole >= 20, 100 * FILL(part, 0) / whole, 0)"


def test_metrics_of_two_environments_of_an_account_do_not_mix(assembly: Assembly) -> None:
    def namespaces(stack: str) -> set[str]:
        return {
            transformation["MetricNamespace"]
            for found in properties(assembly, stack, "AWS::Logs::MetricFilter").values()
            for transformation in found["MetricTransformations"]
        }

    assert namespaces("Simulation/Gateway") == {"Strandline/Gateway/simulation"}
    assert namespaces("Staging/Gateway") == {"Strandline/Gateway/staging"}


def test_the_dashboard_shows_alarms_requests_tasks_and_the_balancer(assembly: Assembly, stack: str) -> None:
    dashboard = assembly.one(stack, "AWS::CloudWatch::Dashboard")
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    body = "".join(part if isinstance(part, str) else "<filled in by CloudFormation>" for part in parts)
    widgets = json.loads(body)["widgets"]
    titles = {widget["properties"]["title"] for widget in widgets}

    assert dashboard["DashboardName"] == f"strandline-{stack.partition('/')[0].lower()}-gateway"
    assert {"Alarms", "Requests", "Fallbacks, budgets and limits", "Internal: errors"} <= titles
