"""The release bucket of an environment: its artefacts, each written once, and the lock that it was promoted to last.

The lock in the bucket is written with S3's conditional writes: of two people who promote at once one wins, and the
other is told.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from stacks.names import release_bucket
from stacks.releases.lock import parse_lock, render_lock
from strandline.aws_errors import code_of, told
from strandline.s3_objects import read_object

if TYPE_CHECKING:
    from collections.abc import Set

    from stacks.releases.lock import ReleaseLock
    from stacks.releases.project import PinnedArtefact
    from strandline.endpoints import Version
    from strandline.targets import Target

_ABSENT = {"NoSuchBucket", "NoSuchKey", "404", "NotFound"}
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


@dataclass(frozen=True, slots=True)
class PublishedLock:
    """The lock that the bucket has.

    Attributes:
        lock: The lock; none where nothing was promoted yet.
        etag: What S3 names its bytes by.
    """

    lock: ReleaseLock | None = None
    etag: str | None = None


class ReleaseBucket:
    """The bucket.

    Args:
        target: The environment.
    """

    def __init__(self, target: Target) -> None:
        self._environment = target.environment
        self._client: Any = target.client("s3")
        self.name = release_bucket(target.environment)
        self._lock_key = f"locks/{target.environment.name}.yaml"

    def published(self) -> PublishedLock:
        """The lock that the environment was promoted to last.

        Raises:
            InputError: It is not what was promoted.
            EnvironmentFault: S3 refuses.
        """
        answer = self._ask("get_object", Key=self._lock_key)
        if answer is None:
            return PublishedLock()
        content = answer["Body"].read()
        return PublishedLock(parse_lock(content, f"s3://{self.name}/{self._lock_key}"), answer["ETag"])

    def earlier_locks(self) -> list[ReleaseLock]:
        """Every lock that was published, the newest first: the bucket keeps all versions of what is in it.

        Raises:
            InputError: One is not what was promoted.
            EnvironmentFault: S3 refuses.
        """
        found = (self._ask("list_object_versions", Prefix=self._lock_key) or {}).get("Versions", ())
        locks = []
        for version in sorted(found, key=lambda one: one["LastModified"], reverse=True):
            answer = self._ask("get_object", Key=self._lock_key, VersionId=version["VersionId"])
            locks.append(parse_lock(answer["Body"].read(), f"s3://{self.name}/{self._lock_key}"))
        return locks

    def publish(self, lock: ReleaseLock, before: PublishedLock) -> None:
        """Writes the lock, if the bucket still has the one from before.

        Args:
            lock: The new lock.
            before: What the bucket had when this promotion began.

        Raises:
            InputError: Somebody else promoted meanwhile; says who.
            EnvironmentFault: S3 refuses.
        """
        condition = {"IfMatch": before.etag} if before.etag else {"IfNoneMatch": "*"}
        content = render_lock(lock).encode()
        if self._put(self._lock_key, content, condition):
            return
        raise InputError(self._outrun())

    def holds(self, artefact: PinnedArtefact) -> bool:
        """Whether the bucket has an artefact, by the SHA-256 that S3 itself took of its bytes.

        Args:
            artefact: What a lock names.

        Raises:
            InputError: What lies there is not that.
            EnvironmentFault: S3 refuses.
        """
        answer = self._ask("head_object", Key=artefact.key, ChecksumMode="ENABLED")
        if answer is None:
            return False
        found = answer.get("ChecksumSHA256")
        found = base64.b64decode(found).hex() if found else self._hash_of(artefact.key)
        if found != artefact.sha256:
            raise InputError(_differs(f"s3://{self.name}/{artefact.key}", artefact.sha256, found))
        return True

    def copy(self, source: Target, running: Version, artefact: PinnedArtefact) -> bool:
        """Brings an artefact from where another environment runs it, after making sure of its bytes.

        Args:
            source: The other environment.
            running: What it runs.
            artefact: What the lock names.

        Returns:
            Whether anything had to be copied.

        Raises:
            InputError: The bytes are not those of the name.
            EnvironmentFault: S3 refuses.
        """
        if self.holds(artefact):
            return False
        place = f"s3://{running.code_bucket}/{running.code_key}"
        content = read_object(source.client("s3"), running.code_bucket, running.code_key)
        found = hashlib.sha256(content)
        if found.hexdigest() != artefact.sha256:
            raise InputError(_differs(place, artefact.sha256, found.hexdigest()))
        # S3 takes the hash of what arrives, and refuses other bytes than these.
        checksum = {"ChecksumSHA256": base64.b64encode(found.digest()).decode(), "IfNoneMatch": "*"}
        # Where somebody else was faster, the bucket has it: with those bytes, or else it is refused.
        return self._put(artefact.key, content, checksum) or not self.holds(artefact)

    def _outrun(self) -> str:
        name = self._environment.name
        winner = self.published().lock
        if winner is None:
            return f"Somebody took {name}'s lock away from s3://{self.name} meanwhile: nothing was deployed."
        return (
            f"{name} was promoted meanwhile{told_of(winner)}: nothing was deployed. Get that releases/{name}.yaml from "
            "version control and promote again."
        )

    def _hash_of(self, key: str) -> str:
        answer = self._ask("get_object", Key=key)
        return hashlib.sha256(answer["Body"].read()).hexdigest() if answer else ""

    def _put(self, key: str, content: bytes, condition: dict[str, str]) -> bool:
        return self._call("put_object", _TAKEN, Key=key, Body=content, **condition) is not None

    def _ask(self, call: str, **arguments: str) -> Any:
        return self._call(call, _ABSENT, **arguments)

    def _call(self, call: str, expected: Set[str], **arguments: Any) -> Any:
        """What S3 answers; nothing where it refuses with a code that is an answer too."""
        with told("S3", f"S3 refuses the release bucket {self.name}"):
            try:
                return getattr(self._client, call)(Bucket=self.name, **arguments)
            except self._client.exceptions.ClientError as error:
                if code_of(error) not in expected:
                    raise
                return None


def told_of(lock: ReleaseLock) -> str:
    """Says who promoted last, and when, after a word such as `promoted`."""
    entries = [*lock.agents.values(), *([lock.gateway] if lock.gateway else [])]
    last = max(entries, key=lambda entry: entry.promoted_at, default=None)
    return f", by {last.promoted_by} at {last.promoted_at}" if last else ""


def _differs(place: str, expected: str, found: str) -> str:
    return (
        f"{place} is not the artefact of its name: the hash of its bytes is {found}, expected {expected}. Nothing was "
        "promoted; deploy where it comes from again, and find out who changed it."
    )
