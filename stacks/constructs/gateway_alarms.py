"""What shows that the gateway is not well: metrics from its log, alarms, and a dashboard.

The log has a JSON line for each request (`gateway/proxy/metrics.py`); filters make metrics of it, so that neither
LiteLLM nor a sidecar talks to CloudWatch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_logs as logs

from gateway.proxy import metrics
from gateway.proxy.bootstrap import START_MESSAGE
from stacks.constructs.alarms import Alarms, errors_of
from stacks.constructs.secret_watch import age_metric
from stacks.custom_resources.key_ages import AGE_METRIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import Construct

    from stacks.constructs.gateway_doors import GatewayBalancer
    from stacks.constructs.litellm_service import LiteLLMService
    from stacks.environments import Environment

_STARTS = "Starts"
_COUNTED = (
    metrics.REQUESTS,
    metrics.ERRORS,
    metrics.TIER_FALLBACKS,
    metrics.BUDGET_REFUSALS,
    metrics.RATE_LIMIT_REFUSALS,
    metrics.UNPRICED,
)
_FIVE_MINUTES = cdk.Duration.minutes(5)
_ERROR_PERCENT = 5
_FALLBACK_PERCENT = 5
_P99_SECONDS = 60
_OVERDUE_DAYS = 3
_FEWEST_REQUESTS = 20
"""A share of fewer requests than that says nothing."""


class GatewayAlarms(Alarms):
    """Alarms and dashboard of one gateway.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        environment: The environment, for names, tasks and the topic that alarms tell.
        service: The service that is watched.
        log_group: Where its tasks log.
        rotating: Names of the functions that rotate keys, by the alarm that each has.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        service: LiteLLMService,
        log_group: logs.ILogGroup,
        rotating: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id, environment=environment, subject="gateway")
        self._environment = environment
        self._service = service
        self._log_group = log_group
        self._namespace = f"Strandline/Gateway/{environment.name}"
        self._counts = {name: self._filter(name, f"{{ $.{name} > 0 }}", f"$.{name}") for name in _COUNTED}
        self._counts[_STARTS] = self._filter(_STARTS, f'{{ $.message = "{START_MESSAGE}" }}', "1")
        self._latency = self._filter(
            metrics.LATENCY, f"{{ $.{metrics.LATENCY} >= 0 }}", f"$.{metrics.LATENCY}", statistic="p99"
        )
        self._add_restart_alarm()
        if environment.rotation_days:
            self._add_rotation_alarms(rotating, environment.rotation_days)
        # Scenarios simulate faults: what would be wrong elsewhere is asked for there.
        if environment.execution_mode != "simulation":
            doors = [door for door in (service.internal, service.public) if door]
            self._add_log_alarms()
            for door in doors:
                self._add_door_alarms(door)
            self._add_dashboard(doors)

    def _filter(self, name: str, pattern: str, value: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
        logs.MetricFilter(
            self,
            f"{name}Filter",
            log_group=self._log_group,
            filter_pattern=logs.FilterPattern.literal(pattern),
            metric_namespace=self._namespace,
            metric_name=name,
            metric_value=value,
        )
        return cloudwatch.Metric(
            namespace=self._namespace, metric_name=name, statistic=statistic, period=_FIVE_MINUTES, label=name
        )

    def _add_restart_alarm(self) -> None:
        # A deployment starts each task once; what starts more often ends by itself.
        most = 2 * self._environment.gateway.max_tasks
        self.add(
            "Restarts",
            self._counts[_STARTS].with_(period=cdk.Duration.minutes(15)),
            most,
            f"More than {most} tasks started in a quarter of an hour: they end by themselves, or never get healthy.",
        )

    def _add_rotation_alarms(self, functions: Mapping[str, str], days: int) -> None:
        # Secrets Manager tries a failed rotation again by itself, and tells nobody ("Rotation by Lambda function").
        for alarm, function in functions.items():
            self.add(alarm, errors_of(function), 0, "A step of the rotation of a key failed.")
        most = days + _OVERDUE_DAYS
        self.add(
            "RotationOverdue",
            age_metric(AGE_METRIC, self._environment),
            most,
            f"A key that nobody types is older than {most} days.",
        )

    def _add_log_alarms(self) -> None:
        requests = self._counts[metrics.REQUESTS]
        self.add(
            "ErrorRate",
            _share(self._counts[metrics.ERRORS], requests),
            _ERROR_PERCENT,
            f"More than {_ERROR_PERCENT} % of the requests of five minutes failed, and not by the caller's fault.",
            periods=2,
        )
        self.add(
            "Fallbacks",
            _share(self._counts[metrics.TIER_FALLBACKS], requests),
            _FALLBACK_PERCENT,
            f"A weaker model answered more than {_FALLBACK_PERCENT} % of the requests of five minutes.",
            periods=3,
        )
        self.add(
            "P99",
            self._latency,
            _P99_SECONDS * 1000,
            f"One answer in a hundred takes more than {_P99_SECONDS} s.",
            periods=3,
        )
        self.add(
            "Budget",
            self._counts[metrics.BUDGET_REFUSALS],
            0,
            "A request was refused because its key or team has spent its budget.",
        )

    def _add_door_alarms(self, door: GatewayBalancer) -> None:
        prefix = door.node.id
        group = door.group.metrics
        self.add(
            f"{prefix}Tasks5xx",
            group.http_code_target(elb.HttpCodeTarget.TARGET_5XX_COUNT, period=_FIVE_MINUTES),
            10,
            "Tasks answered with more than ten errors of their own in five minutes.",
        )
        self.add(
            f"{prefix}Balancer5xx",
            door.balancer.metrics.http_code_elb(elb.HttpCodeElb.ELB_5XX_COUNT, period=_FIVE_MINUTES),
            0,
            "The load balancer found no task that answers.",
        )
        self.add(
            f"{prefix}Unhealthy",
            group.unhealthy_host_count(statistic="Maximum", period=cdk.Duration.minutes(1)),
            0,
            "A task has not been ready for five minutes.",
            periods=5,
        )

    def _add_dashboard(self, doors: Sequence[GatewayBalancer]) -> None:
        dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=f"strandline-{self._environment.name}-gateway"
        )
        dashboard.add_widgets(
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(self.alarms), width=24, height=3)
        )
        service = self._service.service
        dashboard.add_widgets(
            _graph("Requests", self._counts[metrics.REQUESTS], self._counts[metrics.ERRORS]),
            _graph(
                "Fallbacks, budgets and limits",
                *(
                    self._counts[name]
                    for name in (metrics.TIER_FALLBACKS, metrics.BUDGET_REFUSALS, metrics.RATE_LIMIT_REFUSALS)
                ),
            ),
            _graph("Time of an answer, p99, ms", self._latency),
        )
        dashboard.add_widgets(
            _graph(
                "Tasks that started, answers without a price", self._counts[_STARTS], self._counts[metrics.UNPRICED]
            ),
            _graph("CPU of the tasks, %", service.metric_cpu_utilization()),
            _graph("Memory of the tasks, %", service.metric_memory_utilization()),
        )
        for door in doors:
            group = door.group.metrics
            dashboard.add_widgets(
                _graph(
                    f"{door.node.id}: time to the first byte, s",
                    *(group.target_response_time(statistic=name) for name in ("p50", "p90", "p99")),
                ),
                _graph(f"{door.node.id}: requests of a task", group.request_count_per_target()),
                _graph(
                    f"{door.node.id}: errors",
                    group.http_code_target(elb.HttpCodeTarget.TARGET_5XX_COUNT),
                    door.balancer.metrics.http_code_elb(elb.HttpCodeElb.ELB_5XX_COUNT),
                ),
            )


def _share(part: cloudwatch.Metric, whole: cloudwatch.Metric) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=f"IF(whole >= {_FEWEST_REQUESTS}, 100 * FILL(part, 0) / whole, 0)",
        using_metrics={"part": part, "whole": whole},
        period=_FIVE_MINUTES,
        label=f"{part.metric_name} of {whole.metric_name}, %",
    )


def _graph(title: str, *shown: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(shown), width=8, height=6)
