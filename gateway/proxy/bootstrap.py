"""The first thing that runs in the proxy's container: fetches the bundle, and becomes its server.

    python3 -c "$SOURCE" s3://bucket/<sha256>.zip --port 4000 ...

The source of this file is the command line, so that the image holds nothing of ours and a change of routing moves one
pointer. Standard library and boto3 only, and nothing else of this package.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NoReturn

ROOT_CERTIFICATE = "STRANDLINE_DATABASE_ROOT"
"""Variable that holds the certificate to verify the database by; LiteLLM wants it in a file."""

_URI = re.compile(r"s3://([a-z0-9.-]+)/((?:[^/]+/)*([0-9a-f]{64})\.zip)")
_EXIT_CODE = 3
START_MESSAGE = "gateway task starts"
"""Counted in the log: tasks that start again and again."""


def main(arguments: list[str]) -> NoReturn:
    """Fetch, check, unpack, and hand the process over.

    Args:
        arguments: The bundle's address, and what `gateway.proxy.serve` is started with.
    """
    location, *rest = arguments
    folder = Path(tempfile.gettempdir(), "gateway")
    unpack(fetch(location), folder)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    # A home that can be written to: the image's own lies on a file system that cannot.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "HOME": str(folder.parent)}
    certificate = environment.pop(ROOT_CERTIFICATE, None)
    if certificate:
        path = folder / "database-root.pem"
        path.write_text(certificate, encoding="ascii")
        environment["DATABASE_SSLROOTCERT"] = str(path)
    os.chdir(folder)
    _say("INFO", START_MESSAGE, location)
    command = [sys.executable, "-m", "gateway.proxy.serve", "--config", str(folder / "config.yaml"), *rest]
    os.execve(sys.executable, command, environment)  # noqa: S606


def fetch(location: str) -> bytes:
    """Get the bundle from S3.

    Args:
        location: Its address; the key ends in the SHA-256 of its bytes.

    Returns:
        Its bytes.
    """
    match = _URI.fullmatch(location)
    if match is None:
        _fail("the bundle's address is not s3://bucket/<sha256>.zip", location)
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    try:
        answer = boto3.client("s3", config=config).get_object(Bucket=match[1], Key=match[2])
        content: bytes = answer["Body"].read()
    except ClientError as error:
        _fail(f"S3 refused the bundle: {error.response.get('Error', {}).get('Code')}", location)
    except BotoCoreError as error:
        _fail(f"S3 cannot be reached: {type(error).__name__}", location)
    if hashlib.sha256(content).hexdigest() != match[3]:
        _fail("the bundle is not the one that its name promises: its bytes have another hash", location)
    return content


def unpack(content: bytes, folder: Path) -> None:
    """Unpack the bundle.

    Args:
        content: The zip.
        folder: Where its files go.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)


def _fail(reason: str, location: str) -> NoReturn:
    _say("ERROR", reason, location)
    sys.exit(_EXIT_CODE)


def _say(level: str, message: str, location: str) -> None:
    print(json.dumps({"level": level, "message": message, "bundle": location}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
