"""Objects of S3, read whole."""

from __future__ import annotations

from typing import Any

from strandline.aws_errors import told


def read_object(client: Any, bucket: str, key: str, *, called: str = "", hint: str = "") -> bytes:
    """Reads an object.

    Args:
        client: boto3's client of S3 in the account that may read it.
        bucket: The bucket.
        key: The key.
        called: What it is to a person, where its address does not say it.
        hint: What mends it when it cannot be read; follows S3's code.

    Returns:
        Its bytes.

    Raises:
        EnvironmentFault: S3 refuses, or there is no such object.
    """
    with told("S3", f"{called or f's3://{bucket}/{key}'} cannot be read", hint=hint):
        return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
