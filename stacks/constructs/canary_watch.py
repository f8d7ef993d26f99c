"""What begins the canaries of an environment and watches them each minute: one function for all agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam

from stacks.constructs.alarms import Alarms, errors_of
from stacks.constructs.deployment_function import DeploymentFunction, call_regularly
from stacks.custom_resources.canary import WATCH_EVENT
from stacks.custom_resources.canary_records import METRIC_NAMESPACE, WENT_BACK
from stacks.custom_resources.canary_routes import ending_name, folder, route_name
from stacks.nag import acknowledge
from stacks.names import partition

if TYPE_CHECKING:
    from aws_cdk import aws_s3 as s3

    from stacks.base import EnvironmentStack
    from stacks.environments import Environment

# Two waits of AgentCore for an endpoint, beside the query of the log.
_TIMEOUT_SECONDS = 300


class CanaryWatch(Alarms):
    """The function, and where canaries are wanted its schedule and its alarms.

    Args:
        scope: The stack of the checks.
        construct_id: Id in the stack.
        bucket: Where what became of canaries is kept.

    Attributes:
        service_token: What a canary names as its maker.
    """

    def __init__(self, scope: EnvironmentStack, construct_id: str, *, bucket: s3.CfnBucket) -> None:
        target = scope.target
        super().__init__(scope, construct_id, environment=target, subject="canaries")
        function = DeploymentFunction(
            scope,
            f"{construct_id}Function",
            module="canary",
            description=f"Begins and watches the canaries of the agents in {target.name}",
            timeout_seconds=_TIMEOUT_SECONDS,
            variables={"STRANDLINE_ENVIRONMENT": target.name, "RECORDS": bucket.ref},
            statements=_rights(target, bucket),
        )
        acknowledge(function, _reasons(target))
        self.service_token = function.arn
        if target.canary:
            call_regularly(
                self,
                "Watch",
                function=function.arn,
                rate="1 minute",
                description=f"Looks at the canaries of the agents in {target.name}",
                inputs={"Canaries": WATCH_EVENT},
            )
            self._add_alarms(target, function)

    def _add_alarms(self, target: Environment, function: DeploymentFunction) -> None:
        went_back = cloudwatch.Metric(
            namespace=METRIC_NAMESPACE,
            metric_name=WENT_BACK,
            dimensions_map={"environment": target.name},
            statistic="Sum",
            period=cdk.Duration.minutes(5),
        )
        self.add("WentBack", went_back, 0, "The canary of an agent went back: `strandline canary AGENT` says why.")
        self.add(
            "NotWatched",
            errors_of(function.name),
            0,
            "Canaries could not be looked at, or an endpoint could not be moved.",
        )


def _rights(target: Environment, bucket: s3.CfnBucket) -> list[iam.PolicyStatement]:
    own = _own_parameters(target)
    takes_down = iam.PolicyStatement(actions=["ssm:GetParameter", "ssm:DeleteParameter"], resources=own)
    if target.canary is None:
        return [takes_down]
    return [
        takes_down,
        iam.PolicyStatement(actions=["ssm:PutParameter"], resources=own),
        iam.PolicyStatement(
            actions=["ssm:GetParametersByPath"], resources=[_arn(target, "ssm", f"parameter{folder(target.name)}"[:-1])]
        ),
        iam.PolicyStatement(
            actions=["bedrock-agentcore:GetAgentRuntimeEndpoint", "bedrock-agentcore:UpdateAgentRuntimeEndpoint"],
            resources=[_runtimes(target)],
        ),
        iam.PolicyStatement(actions=["logs:StartQuery"], resources=[_log_groups(target)]),
        iam.PolicyStatement(actions=["logs:GetQueryResults"], resources=["*"]),
        iam.PolicyStatement(actions=["s3:PutObject"], resources=[f"{bucket.attr_arn}/canaries/*"]),
    ]


def _reasons(target: Environment) -> dict[str, str]:
    own = "One function for all agents of the environment, whose names are not known here."
    moved = "It moves endpoints of the environment's agents; AgentCore ends the names of runtimes with ids of its own."
    asked = "GetQueryResults knows no resource (Service Authorization Reference); what it may ask, StartQuery says."
    records = "Records are named by agent and version; it writes them and cannot read any."
    return {
        **{f"AwsSolutions-IAM5[Resource::{one}]": own for one in (*_own_parameters(target), _log_groups(target))},
        f"AwsSolutions-IAM5[Resource::{_runtimes(target)}]": moved,
        "AwsSolutions-IAM5[Resource::*]": asked,
        "AwsSolutions-IAM5[Resource::<RecordBucket.Arn>/canaries/*]": records,
    }


def _arn(target: Environment, service: str, name: str) -> str:
    return f"arn:{partition(target)}:{service}:{target.region}:{target.account}:{name}"


def _own_parameters(target: Environment) -> list[str]:
    return [_arn(target, "ssm", f"parameter{name(target.name, '*')}") for name in (route_name, ending_name)]


def _runtimes(target: Environment) -> str:
    return _arn(target, "bedrock-agentcore", f"runtime/{target.name}_*")


def _log_groups(target: Environment) -> str:
    return _arn(target, "logs", f"log-group:/aws/bedrock-agentcore/runtimes/{target.name}_*")
