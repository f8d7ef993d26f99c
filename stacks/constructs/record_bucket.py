"""The bucket of what is kept of checks and releases: private, encrypted, reached by TLS, and nothing is overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from stacks.nag import acknowledge

if TYPE_CHECKING:
    from stacks.base import EnvironmentStack


def add_record_bucket(
    stack: EnvironmentStack, construct_id: str, *, name: str | None = None, written_once: str | None = None
) -> s3.CfnBucket:
    """Adds the bucket.

    Args:
        stack: The stack that holds it.
        construct_id: Id in the stack.
        name: Name of the bucket; CloudFormation makes one where none is given.
        written_once: Keys that nobody overwrites or deletes, such as `artefacts/*`.

    Returns:
        The bucket.
    """
    bucket = s3.CfnBucket(
        stack,
        construct_id,
        bucket_name=name,
        bucket_encryption=s3.CfnBucket.BucketEncryptionProperty(
            server_side_encryption_configuration=[
                s3.CfnBucket.ServerSideEncryptionRuleProperty(
                    server_side_encryption_by_default=s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                        sse_algorithm="AES256"
                    )
                )
            ]
        ),
        versioning_configuration=s3.CfnBucket.VersioningConfigurationProperty(status="Enabled"),
        ownership_controls=s3.CfnBucket.OwnershipControlsProperty(
            rules=[s3.CfnBucket.OwnershipControlsRuleProperty(object_ownership="BucketOwnerEnforced")]
        ),
        public_access_block_configuration=s3.CfnBucket.PublicAccessBlockConfigurationProperty(
            block_public_acls=True, block_public_policy=True, ignore_public_acls=True, restrict_public_buckets=True
        ),
    )
    bucket.apply_removal_policy(stack.removal_policy)
    every = [bucket.attr_arn, f"{bucket.attr_arn}/*"]
    statements = [_denied(["s3:*"], every, {"Bool": {"aws:SecureTransport": "false"}})]
    if written_once:
        keys = [f"{bucket.attr_arn}/{written_once}"]
        # "Enforce conditional writes on Amazon S3 buckets", S3 User Guide: a write that may not replace anything.
        statements.append(_denied(["s3:PutObject"], keys, {"Null": {"s3:if-none-match": "true"}}))
        statements.append(_denied(["s3:DeleteObject", "s3:DeleteObjectVersion"], keys))
    s3.CfnBucketPolicy(
        stack,
        f"{construct_id}Policy",
        bucket=bucket.ref,
        policy_document=iam.PolicyDocument(statements=statements),
    )
    acknowledge(
        bucket,
        {"AwsSolutions-S1": "Who writes a record or an artefact is in CloudTrail; a bucket for logs of a few KB."},
    )
    return bucket


def _denied(
    actions: list[str], keys: list[str], conditions: dict[str, dict[str, str]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        effect=iam.Effect.DENY, actions=actions, principals=[iam.AnyPrincipal()], resources=keys, conditions=conditions
    )
