"""AWS clients that leave nothing behind in the process.

boto3's default session is shared by the whole process, is not safe to make clients from in several threads, and keeps
the credentials that it found: platform V2 would restore them from the snapshot, long expired.
"""

from __future__ import annotations

from typing import Any

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 3
ATTEMPTS = 3


def new_client(service: str, *, attempts: int = ATTEMPTS) -> Any:
    """Makes a client with a session of its own.

    Args:
        service: AWS's name of the service, such as `s3`.
        attempts: Times that a call is tried in all.

    Returns:
        The boto3 client. It gives up within seconds: a person waits for the answer.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return boto3.session.Session().client(service, config=config)
