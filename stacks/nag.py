"""cdk-nag: the AwsSolutions rules over every stage, and acknowledgements that say why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from stacks.names import partition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import IConstruct

    from stacks.base import EnvironmentStack


def check(app: cdk.App, *, schemas: bool = False) -> None:
    """Makes synth fail on every AwsSolutions finding that nothing acknowledges.

    Args:
        app: The app.
        schemas: Whether CDK also holds every template to CloudFormation's schemas, for three seconds, 300 MB, and 14 ms
            for each agent.
    """
    from cdk_nag import AwsSolutionsChecks

    validations = cdk.Validations.of(app)
    validations.add_plugins(AwsSolutionsChecks(app))
    if schemas:
        validations.add_plugins(cdk.CloudFormationValidatePlugin())


def acknowledge(scope: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accepts findings on a construct and what is below it.

    Args:
        scope: The construct.
        reasons: Id of a rule, as granular as cdk-nag reports it, to a sentence that says why it is right here.
    """
    cdk.Validations.of(scope).acknowledge(
        *(cdk.Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
    )


def acknowledge_log_streams(role: IConstruct, stack: EnvironmentStack, log_group_id: str) -> None:
    """Accepts that a role may write to all streams of one log group.

    Args:
        role: The role.
        stack: The stack of the log group.
        log_group_id: Id of the log group in the stack.
    """
    target = stack.target
    group = f"arn:{partition(target)}:logs:{target.region}:{target.account}:log-group:<{log_group_id}>:*"
    acknowledge(
        role, {f"AwsSolutions-IAM5[Resource::{group}]": "The streams of the one group have names that AWS makes up."}
    )
