"""Who may take a role: an AWS service, and only on behalf of this account's own resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from stacks.names import partition

if TYPE_CHECKING:
    from stacks.environments import Environment


def service_of(environment: Environment, service: str, namespace: str, resource: str) -> iam.PrincipalBase:
    """Names a service as principal, with the confused-deputy guard of the IAM user guide.

    Args:
        environment: The environment, for account and region.
        service: First part of the service's domain name.
        namespace: Service in the ARN on whose behalf it acts.
        resource: What follows the account in that ARN.

    Returns:
        The principal.
    """
    arn = f"arn:{partition(environment)}:{namespace}:{environment.region}:{environment.account}:{resource}"
    return iam.ServicePrincipal(
        f"{service}.amazonaws.com",
        conditions={
            "StringEquals": {"aws:SourceAccount": environment.account},
            "ArnLike": {"aws:SourceArn": arn},
        },
    )
