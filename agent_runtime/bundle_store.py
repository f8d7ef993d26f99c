"""Fetches the agent's bundle from S3 when the process starts."""

from __future__ import annotations

import gc
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent_runtime.aws_clients import new_client
from agent_runtime.bundle import read_bundle
from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent_runtime.bundle import BundledAgent

_LOCATION = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>(?:.*/)?(?P<sha256>[0-9a-f]{64})\.json)")


def _s3() -> Any:
    return new_client("s3")


def fetch_bundle(location: str, client_factory: Callable[[], Any] = _s3) -> BundledAgent:
    """Fetches a bundle and holds it to the hash in its name.

    Args:
        location: `s3://<bucket>/<sha256>.json`.
        client_factory: Makes the S3 client, which is closed again.

    Returns:
        The agent that the bundle describes.

    Raises:
        EnvironmentFault: The bundle is missing, may not be read, or is not what its name says.
    """
    match = _LOCATION.fullmatch(location)
    if match is None:
        raise EnvironmentFault(f"STRANDLINE_BUNDLE is {location!r}: it must be s3://<bucket>/<sha256>.json.")
    content = _fetch(location, match["bucket"], match["key"], client_factory)
    # A client and its session hold each other, and the role's credentials, until the collector finds them: the
    # snapshot of platform V2 must not.
    gc.collect()
    return read_bundle(content, match["sha256"])


def _fetch(location: str, bucket: str, key: str, client_factory: Callable[[], Any]) -> bytes:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with closing(client_factory()) as client, closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            content: bytes = body.read()
    except ClientError as error:
        code = error.response["Error"].get("Code", "unknown")
        raise EnvironmentFault(f"The bundle {location} cannot be read ({code}): deploy the agent again.") from None
    except BotoCoreError as error:
        raise EnvironmentFault(f"S3 cannot be reached for the bundle {location} ({type(error).__name__}).") from None
    return content
