"""Rotation of the gateway's own keys on Secrets Manager's schedule: the function, what it may do, and the schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.constructs.deployment_function import DeploymentFunction, permit
from stacks.gateway_target import own_keys
from stacks.names import next_key, secret_arn, secret_name

if TYPE_CHECKING:
    from aws_cdk import aws_ecs as ecs

    from stacks.base import EnvironmentStack

# The longest that Lambda gives: callers keep a key for five minutes, and new tasks take some more.
_TIMEOUT_SECONDS = 900


class OwnKeySchedule(Construct):
    """What rotates the gateway's own keys. It stands outside the VPC: it asks Secrets Manager and ECS, and no task.

    Args:
        scope: The gateway's stack.
        construct_id: Id in the stack.
        service: The service whose tasks take the keys.
        days: Days between two rotations.

    Attributes:
        function_name: The function's name, for whoever watches it.
    """

    def __init__(self, scope: EnvironmentStack, construct_id: str, *, service: ecs.FargateService, days: int) -> None:
        super().__init__(scope, construct_id)
        target = scope.target
        keys = own_keys(target)
        function = DeploymentFunction(
            scope,
            f"{construct_id}Function",
            module="own_key_rotation",
            description=f"Rotates the own keys of the gateway in {target.name}",
            timeout_seconds=_TIMEOUT_SECONDS,
            variables={
                "CLUSTER": service.cluster.cluster_name,
                "SERVICE": service.service_name,
                "FOLLOWED": ",".join(secret_name(target, key) for key, is_followed in keys.items() if is_followed),
                "SWAPPED": ",".join(secret_name(target, key) for key, is_followed in keys.items() if not is_followed),
            },
            statements=_statements(scope, service),
        )
        self.function_name = function.name
        call = permit(self, "Scheduled", "secretsmanager", function.arn, source_account=target.account)
        for key in keys:
            schedule = add_schedule(
                self, key.replace("_", "x"), secret_name(target, key), function=function.arn, days=days
            )
            # A schedule is tried when it is made: by then the function may be called, and tasks are there.
            schedule.add_dependency(call)
            schedule.node.add_dependency(service)


def add_schedule(
    scope: Construct, construct_id: str, secret: str, *, function: str, days: int
) -> secretsmanager.CfnRotationSchedule:
    """Adds the schedule by which a function rotates a secret.

    Args:
        scope: Where it belongs.
        construct_id: Id there.
        secret: Name or ARN of the secret.
        function: ARN of the function.
        days: Days between two rotations.

    Returns:
        The schedule.
    """
    rules = secretsmanager.CfnRotationSchedule.RotationRulesProperty(automatically_after_days=days)
    return secretsmanager.CfnRotationSchedule(
        scope,
        construct_id,
        secret_id=secret,
        rotation_lambda_arn=function,
        rotation_rules=rules,
        # Each deployment would replace the key.
        rotate_immediately_on_update=False,
    )


def _statements(scope: EnvironmentStack, service: ecs.FargateService) -> list[iam.PolicyStatement]:
    target = scope.target
    keys = own_keys(target)
    following = [f"{secret_arn(target, next_key(key))}-??????" for key, is_followed in keys.items() if is_followed]
    both = [*(f"{secret_arn(target, key)}-??????" for key in keys), *following]
    statements = [
        iam.PolicyStatement(
            actions=[
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            resources=both,
        ),
        iam.PolicyStatement(actions=["secretsmanager:ListSecretVersionIds"], resources=following),
        iam.PolicyStatement(actions=["ecs:DescribeServices", "ecs:UpdateService"], resources=[service.service_arn]),
    ]
    if target.kms_key_arn:
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        statements.append(iam.PolicyStatement(actions=actions, resources=[target.kms_key_arn]))
    return statements
