"""The release bucket: the code artefacts that were promoted to an environment, each written once under its hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_s3 as s3

from stacks.base import EnvironmentStack
from stacks.nag import acknowledge
from stacks.names import partition, release_bucket

if TYPE_CHECKING:
    import aws_cdk as cdk

    from stacks.environments import Environment


class ReleasesStack(EnvironmentStack):
    """The bucket: versioned, encrypted, for this account alone.

    Args:
        scope: The environment's stage.
        construct_id: Id in the stage.
        environment: The environment.
    """

    def __init__(self, scope: cdk.Stage, construct_id: str, *, environment: Environment) -> None:
        super().__init__(scope, construct_id, environment=environment, description="releases", stateful=True)
        name = release_bucket(environment)
        bucket = s3.CfnBucket(
            self,
            "Bucket",
            bucket_name=name,
            versioning_configuration=s3.CfnBucket.VersioningConfigurationProperty(status="Enabled"),
            bucket_encryption=s3.CfnBucket.BucketEncryptionProperty(
                server_side_encryption_configuration=[
                    s3.CfnBucket.ServerSideEncryptionRuleProperty(
                        server_side_encryption_by_default=s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                            sse_algorithm="AES256"
                        )
                    )
                ]
            ),
            public_access_block_configuration=s3.CfnBucket.PublicAccessBlockConfigurationProperty(
                block_public_acls=True, block_public_policy=True, ignore_public_acls=True, restrict_public_buckets=True
            ),
            ownership_controls=s3.CfnBucket.OwnershipControlsProperty(
                rules=[s3.CfnBucket.OwnershipControlsRuleProperty(object_ownership="BucketOwnerEnforced")]
            ),
        )
        bucket.apply_removal_policy(self.removal_policy)
        acknowledge(
            bucket,
            {"AwsSolutions-S1": "CloudTrail has who promoted; the objects are named by their hash and written once."},
        )
        s3.CfnBucketPolicy(self, "BucketPolicy", bucket=bucket.ref, policy_document=_policy(environment, name))


def _policy(environment: Environment, bucket: str) -> dict[str, Any]:
    """Nobody overwrites or deletes an artefact ("Enforce conditional writes on Amazon S3 buckets", S3 User Guide)."""
    arn = f"arn:{partition(environment)}:s3:::{bucket}"
    artefacts = f"{arn}/artefacts/*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            _deny("InsecureTransport", ["s3:*"], [arn, f"{arn}/*"], {"Bool": {"aws:SecureTransport": "false"}}),
            _deny("Overwriting", ["s3:PutObject"], [artefacts], {"Null": {"s3:if-none-match": "true"}}),
            _deny("Deleting", ["s3:DeleteObject", "s3:DeleteObjectVersion"], [artefacts]),
        ],
    }


def _deny(
    sid: str, actions: list[str], resources: list[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement
