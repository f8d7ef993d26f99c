"""A Lambda function that takes part in a deployment, or in what follows: `stacks/custom_resources/`, as it is."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.assets import add_bytes
from stacks.nag import acknowledge, acknowledge_log_streams
from stacks.names import partition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stacks.base import EnvironmentStack

RUNTIME = "python3.14"
_CODE = Path(__file__).resolve().parents[1] / "custom_resources"
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o100644 << 16
# Lambda makes and removes the network interfaces with the function's own role ("Giving Lambda functions access to
# resources in an Amazon VPC", AWS Lambda Developer Guide), which knows no resources for them before there are any.
_INTERFACES = (
    *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    *("ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
)


class DeploymentFunction(Construct):
    """A function that CloudFormation calls.

    Args:
        scope: The stack.
        construct_id: Id in the stack; also that of its log group.
        module: Module of `stacks/custom_resources`, with a `handler`.
        description: What it does.
        timeout_seconds: The longest it takes.
        variables: Its environment: pointers, no secret.
        statements: What it may do beside its log, and nothing else.
        subnet_ids: Where it stands, when it must reach what is inside the VPC.
        security_group_id: What it belongs to there.

    Attributes:
        arn: The service token of its resources.
        name: Its name.
    """

    def __init__(
        self,
        scope: EnvironmentStack,
        construct_id: str,
        *,
        module: str,
        description: str,
        timeout_seconds: int,
        variables: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        subnet_ids: Sequence[str] = (),
        security_group_id: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        content = archive_of_functions()
        code = add_bytes(scope, content, sha256=hashlib.sha256(content).hexdigest(), suffix=".zip")
        group = scope.add_log_group(f"{construct_id}Logs")
        logs = iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group.attr_arn])
        inside = _inside_vpc(scope) if subnet_ids else []
        role = iam.Role(
            self,
            "Role",
            # Lambda tells IAM no source: only whoever may pass the role, in this account, can give it to a function.
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=description,
            inline_policies={"Function": iam.PolicyDocument(statements=[logs, *statements, *inside])},
        )
        acknowledge_log_streams(role, scope, f"{construct_id}Logs")
        function = lambda_.CfnFunction(
            self,
            "Function",
            description=description,
            runtime=RUNTIME,
            architectures=["arm64"],
            handler=f"custom_resources.{module}.handler",
            code=lambda_.CfnFunction.CodeProperty(s3_bucket=code.bucket, s3_key=code.key),
            role=role.role_arn,
            timeout=timeout_seconds,
            memory_size=256,
            environment=lambda_.CfnFunction.EnvironmentProperty(variables=dict(variables)),
            logging_config=lambda_.CfnFunction.LoggingConfigProperty(log_group=group.ref),
            vpc_config=lambda_.CfnFunction.VpcConfigProperty(
                subnet_ids=list(subnet_ids), security_group_ids=[security_group_id]
            )
            if security_group_id
            else None,
        )
        if subnet_ids:
            acknowledge(
                role,
                {
                    "AwsSolutions-IAM5[Resource::*]": "Lambda's own network interfaces have no names before they are "
                    "made; the function's code is denied what its role lends to Lambda."
                },
            )
        self.arn, self.name = function.attr_arn, function.ref


def permit(
    scope: Construct,
    construct_id: str,
    service: str,
    function: str,
    *,
    source_arn: str | None = None,
    source_account: str | None = None,
) -> lambda_.CfnPermission:
    """Lets a service call a function.

    Args:
        scope: Where the permission belongs.
        construct_id: Id there.
        service: Name of the service, before `.amazonaws.com`.
        function: ARN of the function.
        source_arn: What of the service may call it.
        source_account: For whom the service may.

    Returns:
        The permission.
    """
    return lambda_.CfnPermission(
        scope,
        construct_id,
        action="lambda:InvokeFunction",
        function_name=function,
        principal=f"{service}.amazonaws.com",
        source_arn=source_arn,
        source_account=source_account,
    )


def call_regularly(
    scope: Construct,
    construct_id: str,
    *,
    function: str,
    rate: str,
    description: str,
    inputs: Mapping[str, Mapping[str, Any]],
    permission_id: str = "Watched",
) -> None:
    """Has EventBridge call a function on a schedule.

    Args:
        scope: Where the rule belongs.
        construct_id: Id of the rule there.
        function: ARN of the function.
        rate: How often, such as `1 day`.
        description: What the calls are for.
        inputs: Event of each call, by the id of its target.
        permission_id: Id of the permission, beside the rule.
    """
    rule = events.CfnRule(
        scope,
        construct_id,
        description=description,
        schedule_expression=f"rate({rate})",
        targets=[
            events.CfnRule.TargetProperty(arn=function, id=target, input=json.dumps(event))
            for target, event in inputs.items()
        ],
    )
    permit(scope, permission_id, "events", function, source_arn=rule.attr_arn)


def _inside_vpc(stack: EnvironmentStack) -> list[iam.PolicyStatement]:
    """Lets Lambda make the function's interfaces, and the function itself not."""
    target = stack.target
    own = f"arn:{partition(target)}:lambda:{target.region}:{target.account}:function:*"
    return [
        iam.PolicyStatement(actions=list(_INTERFACES), resources=["*"]),
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=list(_INTERFACES),
            resources=["*"],
            conditions={"ArnLike": {"lambda:SourceFunctionArn": own}},
        ),
    ]


@cache
def archive_of_functions() -> bytes:
    """Packs the functions' code.

    Returns:
        A zip: the same bytes for the same files, wherever and whenever they are packed; stored, because they are small.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(_CODE.glob("*.py")):
            entry = zipfile.ZipInfo(f"{_CODE.name}/{file.name}", _EARLIEST)
            entry.create_system, entry.external_attr = 3, _FILE_MODE
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()
