"""What is kept of the checks of a release: a file in S3 for each run, under the hash of its bytes.

The hash of the run that let a release pass is part of the id by which CloudFormation knows the gate of its stack, so a
file that somebody changed, or put in another's place, is not taken for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_RELEASE_LENGTH = 16


def encode_record(record: Mapping[str, Any]) -> tuple[bytes, str]:
    """Writes a record.

    Args:
        record: What it says.

    Returns:
        Its bytes, and their SHA-256.
    """
    content = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return content, hashlib.sha256(content).hexdigest()


def record_key(agent: str, digest: str) -> str:
    """Names a record in its bucket."""
    return f"{record_folder(agent)}{digest}.json"


def record_folder(agent: str) -> str:
    """What the names of an agent's records begin with."""
    return f"checks/{agent}/"


def release_of(*parts: str) -> str:
    """Names what is checked by the hash of all that makes a difference to it."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_RELEASE_LENGTH]


def gate_id(release: str, digest: str) -> str:
    """The id of a gate that let a release pass."""
    return f"{release}-{digest}"


def is_of_release(physical_id: str | None, release: str) -> bool:
    """Whether a gate let this release pass."""
    return bool(physical_id) and str(physical_id).startswith(f"{release}-")


def digest_of(physical_id: str) -> str:
    """The hash of the record of a gate."""
    return physical_id.rpartition("-")[2]
