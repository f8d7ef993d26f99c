"""What shows that secrets are not well: how old they get, and whether agents can still read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam

from agent_runtime.secret_store import CACHE_SECONDS
from agent_runtime.telemetry.metrics import NAMESPACE
from stacks.constructs.alarms import Alarms
from stacks.constructs.deployment_function import DeploymentFunction, call_regularly
from stacks.custom_resources.key_ages import AGE_METRIC, METRIC_NAMESPACE, TYPED_METRIC
from stacks.gateway_target import own_keys
from stacks.nag import acknowledge
from stacks.names import secret_arn, secret_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.base import EnvironmentStack
    from stacks.environments import Environment

_FUNCTION = "AgesFunction"
_TIMEOUT_SECONDS = 300
# EventBridge takes 8 KB for each of five targets ("Amazon EventBridge quotas"), and a variable has 64 characters.
_SECRETS_OF_A_TARGET = 100
_FIVE_MINUTES = cdk.Duration.minutes(5)
_FAILING_PERIODS = 3


def age_metric(name: str, environment: Environment) -> cloudwatch.Metric:
    """The age of the oldest secret of a kind, in days, as it is told once a day.

    Args:
        name: Name of the metric.
        environment: The environment.

    Returns:
        The metric.
    """
    return cloudwatch.Metric(
        namespace=METRIC_NAMESPACE,
        metric_name=name,
        dimensions_map={"environment": environment.name},
        statistic="Maximum",
        period=cdk.Duration.days(1),
    )


class SecretWatch(Alarms):
    """The function that tells ages once a day, and the alarms.

    Args:
        scope: The stack of the secrets.
        construct_id: Id in the stack.
        typed: Variables of the secrets that people set.
        with_gateway: Whether there is a gateway, with keys of its own.
    """

    def __init__(self, scope: EnvironmentStack, construct_id: str, *, typed: Sequence[str], with_gateway: bool) -> None:
        target = scope.target
        super().__init__(scope, construct_id, environment=target, subject="secrets")
        watched: dict[str, Sequence[str]] = {}
        if target.secret_age_days and typed:
            watched[TYPED_METRIC] = typed
            self.add(
                "SecretOld",
                age_metric(TYPED_METRIC, target),
                target.secret_age_days,
                f"A secret has had its value for more than {target.secret_age_days} days: "
                f"strandline rotate --older-than {target.secret_age_days}d --env {target.name}.",
            )
        if target.rotation_days and with_gateway:
            watched[AGE_METRIC] = list(own_keys(target))
        if watched:
            self._tell_ages(scope, watched)
        if target.execution_mode != "simulation":
            self._add_reading_alarms(target)

    def _tell_ages(self, scope: EnvironmentStack, watched: dict[str, Sequence[str]]) -> None:
        target = scope.target
        every = secret_arn(target, "*")
        function = DeploymentFunction(
            scope,
            _FUNCTION,
            module="key_ages",
            description=f"Tells how old the secrets of {target.name} are",
            timeout_seconds=_TIMEOUT_SECONDS,
            variables={"STRANDLINE_ENVIRONMENT": target.name, "PREFIX": secret_prefix(target)},
            statements=[iam.PolicyStatement(actions=["secretsmanager:ListSecretVersionIds"], resources=[every])],
        )
        acknowledge(
            function,
            {
                f"AwsSolutions-IAM5[Resource::{every}]": "When versions of the environment's own secrets were made, "
                "and never a value."
            },
        )
        parts = [
            {"metric": metric, "variables": variables[start : start + _SECRETS_OF_A_TARGET]}
            for metric, variables in watched.items()
            for start in range(0, len(variables), _SECRETS_OF_A_TARGET)
        ]
        call_regularly(
            self,
            "Daily",
            function=function.arn,
            rate="1 day",
            description=f"Tells how old the secrets of {target.name} are",
            inputs={f"Part{number}": part for number, part in enumerate(parts)},
            permission_id="Called",
        )

    def _add_reading_alarms(self, target: Environment) -> None:
        """By queries over all agents: agents have no metric of these, and cost nothing, until they cannot read."""
        minutes = round(2 * CACHE_SECONDS / 60)
        self.add(
            "SecretsStale",
            _over_agents("MAX(SecretAge)", target),
            2 * CACHE_SECONDS,
            f"An agent goes on with a secret that it could not read for {minutes} minutes.",
        )
        self.add(
            "SecretsUnreadable",
            _over_agents("SUM(SecretRefreshFailures)", target),
            0,
            f"Agents have failed to read secrets for more than {minutes} minutes.",
            periods=_FAILING_PERIODS,
        )


def _over_agents(what: str, target: Environment) -> cloudwatch.MathExpression:
    """A query of CloudWatch Metrics Insights, over the metrics that handlers write for each agent."""
    return cloudwatch.MathExpression(
        # Of words of ours alone: an environment's name is one of four.
        expression=f'SELECT {what} FROM SCHEMA("{NAMESPACE}", agent, environment) '  # noqa: S608
        f"WHERE environment = '{target.name}'",
        period=_FIVE_MINUTES,
    )
