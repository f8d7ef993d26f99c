"""The bucket of what is kept of checks: private, encrypted, reached by TLS alone, and nothing in it is overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from stacks.nag import acknowledge

if TYPE_CHECKING:
    from stacks.base import EnvironmentStack


def add_record_bucket(stack: EnvironmentStack, construct_id: str) -> s3.CfnBucket:
    """Adds the bucket.

    Args:
        stack: The stack that holds it.
        construct_id: Id in the stack.

    Returns:
        The bucket.
    """
    bucket = s3.CfnBucket(
        stack,
        construct_id,
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
    policy = iam.PolicyStatement(
        effect=iam.Effect.DENY,
        actions=["s3:*"],
        principals=[iam.AnyPrincipal()],
        resources=[bucket.attr_arn, f"{bucket.attr_arn}/*"],
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )
    s3.CfnBucketPolicy(
        stack,
        f"{construct_id}Policy",
        bucket=bucket.ref,
        policy_document=iam.PolicyDocument(statements=[policy]),
    )
    acknowledge(
        bucket,
        {"AwsSolutions-S1": "Who writes a record is in CloudTrail with the deployment; a bucket for logs of a few KB."},
    )
    return bucket
