"""What lets new versions of an environment's agents pass: one function for all of them, and what it records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.base import EnvironmentStack
from stacks.constructs.canary_watch import CanaryWatch
from stacks.constructs.deployment_function import DeploymentFunction
from stacks.constructs.judge import add_judge
from stacks.constructs.record_bucket import add_record_bucket
from stacks.nag import acknowledge
from stacks.names import JUDGE_OUTPUT, RECORDS_OUTPUT, partition

if TYPE_CHECKING:
    from stacks.constructs.judge import JudgePlace
    from stacks.environments import Environment

TIMEOUT_SECONDS = 900
"""The longest that Lambda gives; checks that are not made by then fail."""


class ChecksStack(EnvironmentStack):
    """The function that CloudFormation asks before it moves an agent's `live`.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.
        judge: Where a judge reaches the gateway, if a blueprint asks for one.

    Attributes:
        service_token: What the gates of the agents name as their maker.
        canaries_token: What begins their canaries, also while the environment has none: one that runs has to be taken
            down by somebody when its environment no longer wants any.
    """

    def __init__(
        self, scope: cdk.Stage, construct_id: str, *, environment: Environment, judge: JudgePlace | None = None
    ) -> None:
        super().__init__(scope, construct_id, environment=environment, description="checks of new versions")
        bucket = add_record_bucket(self, "RecordBucket")
        records = f"{bucket.attr_arn}/checks/*"
        owner = f"arn:{partition(environment)}:bedrock-agentcore:{environment.region}:{environment.account}"
        runtimes = f"{owner}:runtime/{environment.name}_*"
        judge_arn = add_judge(self, judge) if judge else None
        function = DeploymentFunction(
            self,
            "Function",
            module="checks",
            description=f"Checks new versions of the agents in {environment.name} before callers reach them",
            timeout_seconds=TIMEOUT_SECONDS,
            variables={"RECORDS": bucket.ref, **({"JUDGE": judge_arn} if judge_arn else {})},
            statements=[
                iam.PolicyStatement(
                    actions=[
                        "bedrock-agentcore:InvokeAgentRuntime",
                        "bedrock-agentcore:StopRuntimeSession",
                        "bedrock-agentcore:GetAgentRuntimeEndpoint",
                    ],
                    resources=[runtimes],
                ),
                iam.PolicyStatement(actions=["s3:PutObject"], resources=[records]),
                *([iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[judge_arn])] if judge_arn else []),
            ],
        )
        acknowledge(
            function,
            {
                f"AwsSolutions-IAM5[Resource::{runtimes}]": "One function for all agents of the environment, which it "
                "asks and cannot change; AgentCore ends the names of runtimes with ids of its own.",
                "AwsSolutions-IAM5[Resource::<RecordBucket.Arn>/checks/*]": "Records are named by their hash; it adds "
                "to them and cannot read them.",
            },
        )
        canaries = CanaryWatch(self, "Canaries", bucket=bucket)
        self.bound_roles()
        self.service_token = self.export(function.arn)
        self.canaries_token = self.export(canaries.service_token)
        if judge_arn:
            cdk.CfnOutput(self, JUDGE_OUTPUT, value=judge_arn, description="What judges answers of agents")
        cdk.CfnOutput(self, RECORDS_OUTPUT, value=bucket.ref, description="Bucket of what is kept of checks")
