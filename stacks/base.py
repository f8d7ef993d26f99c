"""What all stacks of an environment have in common."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from stacks.assets import AssetFolder
from stacks.names import permissions_boundary_arn

if TYPE_CHECKING:
    from stacks.environments import Environment


class EnvironmentStack(cdk.Stack):
    """A stack of one environment: its tags, its removal policy, its permissions boundary.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.
        description: What the stack holds.
        stateful: Whether losing the stack would lose data; where the environment retains data it is then protected.

    Attributes:
        target: The environment.
        removal_policy: What becomes of data when the stack goes.
    """

    def __init__(
        self,
        scope: cdk.Stage,
        construct_id: str,
        *,
        environment: Environment,
        description: str,
        stateful: bool = False,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Strandline: {description} ({environment.name})",
            tags={**environment.tags, "strandline:environment": environment.name},
            termination_protection=stateful and environment.retains,
        )
        self._stage = scope
        self.target = environment
        self.removal_policy = cdk.RemovalPolicy.RETAIN if environment.retains else cdk.RemovalPolicy.DESTROY

    @cached_property
    def asset_folder(self) -> AssetFolder:
        """Where the assets of this stack's stage lie."""
        return AssetFolder.of(self._stage)

    @cached_property
    def asset_registry(self) -> cdk.IStackSynthesizer:
        """What notes the stack's assets."""
        return self.synthesizer

    def add_log_group(self, construct_id: str, *, name: str | None = None) -> logs.CfnLogGroup:
        """Adds a log group with the environment's retention and key.

        Args:
            construct_id: Id in the stack.
            name: Name of the group; CloudFormation makes one where none is given.

        Returns:
            The log group.
        """
        group = logs.CfnLogGroup(
            self,
            construct_id,
            log_group_name=name,
            retention_in_days=self.target.log_retention_days,
            kms_key_id=self.target.kms_key_arn,
        )
        group.apply_removal_policy(self.removal_policy)
        return group

    def export(self, value: str) -> str:
        """Gives other stacks a value of this one by an export that stays, whoever uses it at the moment.

        CDK's own exports come and go with their users, and CloudFormation refuses to let one go that is in use: the
        deployment that takes the last user away would fail, because this stack is deployed before that user's.

        Args:
            value: An attribute of a resource of this stack, or a literal.

        Returns:
            The value for other stacks; they have to depend on this stack.
        """
        return self.export_value(value) if cdk.Token.is_unresolved(value) else value

    def bound_roles(self) -> None:
        """Puts the environment's permissions boundary on every role below this stack."""
        boundary = permissions_boundary_arn(self.target)
        if boundary:
            iam.PermissionsBoundary.of(self).apply(
                iam.ManagedPolicy.from_managed_policy_arn(self, "Boundary", boundary)
            )
