"""Fetches the agent's bundle from S3 when the process starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent_runtime.bundle import read_bundle
from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from agent_runtime.bundle import BundledAgent

_LOCATION = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>(?:.*/)?(?P<sha256>[0-9a-f]{64})\.json)")


def fetch_bundle(location: str) -> BundledAgent:
    """Fetches a bundle and holds it to the hash in its name.

    Args:
        location: `s3://<bucket>/<sha256>.json`.

    Returns:
        The agent that the bundle describes.

    Raises:
        EnvironmentFault: The bundle is missing, may not be read, or is not what its name says.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    match = _LOCATION.fullmatch(location)
    if match is None:
        raise EnvironmentFault(f"STRANDLINE_BUNDLE is {location!r}: it must be s3://<bucket>/<sha256>.json.")
    try:
        content = _read(match["bucket"], match["key"])
    except ClientError as error:
        code = error.response["Error"].get("Code", "unknown")
        raise EnvironmentFault(f"The bundle {location} cannot be read ({code}): deploy the agent again.") from None
    except BotoCoreError as error:
        raise EnvironmentFault(f"S3 cannot be reached for the bundle {location} ({type(error).__name__}).") from None
    return read_bundle(content, match["sha256"])


def _read(bucket: str, key: str) -> bytes:
    import boto3

    body: bytes = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body
