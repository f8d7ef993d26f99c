"""The function that judges answers with a model of the gateway; in environments where a blueprint asks for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from gateway.proxy.keys import MASTER_KEY
from stacks.constructs.deployment_function import DeploymentFunction
from stacks.names import ENVIRONMENT_KEY, secret_arn, secret_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.base import EnvironmentStack

_TIMEOUT_SECONDS = 150


@dataclass(frozen=True, slots=True)
class JudgePlace:
    """Where the gateway can be reached.

    Attributes:
        gateway_url: Its address.
        subnet_ids: Subnets inside the VPC.
        security_group_id: What it lets in: that of the agents.
    """

    gateway_url: str
    subnet_ids: Sequence[str]
    security_group_id: str


def add_judge(stack: EnvironmentStack, place: JudgePlace) -> str:
    """Adds the function.

    Args:
        stack: The stack of the checks.
        place: Where it stands.

    Returns:
        Its ARN.
    """
    target = stack.target
    # Keys of agents open the agents' own models; without a database there is one key for all.
    key = MASTER_KEY if target.gateway.is_managed else ENVIRONMENT_KEY
    statements = [
        iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[f"{secret_arn(target, key)}-??????"])
    ]
    if target.kms_key_arn:
        statements.append(iam.PolicyStatement(actions=["kms:Decrypt"], resources=[target.kms_key_arn]))
    function = DeploymentFunction(
        stack,
        "JudgeFunction",
        module="judge",
        description=f"Judges answers of agents in {target.name} with a model of the gateway",
        timeout_seconds=_TIMEOUT_SECONDS,
        variables={"GATEWAY_URL": place.gateway_url, "KEY_SECRET": secret_name(target, key)},
        statements=statements,
        subnet_ids=place.subnet_ids,
        security_group_id=place.security_group_id,
    )
    return function.arn
