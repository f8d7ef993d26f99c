"""Alarms of an environment, which tell its topic where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.environments import Environment


class Alarms(Construct):
    """A set of alarms.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        environment: The environment, for the topic that they tell.
        subject: Whose alarms they are, for their descriptions.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, subject: str) -> None:
        super().__init__(scope, construct_id)
        self._about = f"({subject}, {environment.name})"
        arn = environment.gateway.alarm_topic_arn
        self._action = actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", arn)) if arn else None
        self._alarms: list[cloudwatch.Alarm] = []

    @property
    def alarms(self) -> Sequence[cloudwatch.Alarm]:
        """Those that were added."""
        return self._alarms

    def add(
        self, construct_id: str, metric: cloudwatch.IMetric, above: float, description: str, *, periods: int = 1
    ) -> None:
        """Adds an alarm; where nothing is measured, nothing is wrong.

        Args:
            construct_id: Id among the alarms.
            metric: What is measured.
            above: The most that is well.
            description: What is wrong.
            periods: For how many periods in a row.
        """
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{description} {self._about}",
        )
        if self._action:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)
        self._alarms.append(alarm)


def errors_of(function: str) -> cloudwatch.Metric:
    """How often a Lambda function failed in five minutes ("Using CloudWatch metrics with Lambda").

    Args:
        function: Name of the function.

    Returns:
        The metric.
    """
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name="Errors",
        dimensions_map={"FunctionName": function},
        statistic="Sum",
        period=cdk.Duration.minutes(5),
    )
