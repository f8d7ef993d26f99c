"""The folder `releases`: a lock for each environment, and the bundles and gateway settings that locks name by hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent_runtime.errors import InputError, Problem
from stacks.releases.lock import load_lock

if TYPE_CHECKING:
    from stacks.releases.lock import ReleaseLock

Kind = Literal["json", "yaml"]
"""What is kept by hash: an agent's bundle, or the gateway's settings."""


@dataclass(frozen=True, slots=True)
class ReleaseFolder:
    """The folder.

    Attributes:
        path: Where it is: beside `environments.yaml`.
    """

    path: Path

    @classmethod
    def beside(cls, environments: Path) -> ReleaseFolder:
        """The folder of a project, by its `environments.yaml`."""
        return cls(environments.parent / "releases")

    def lock_file(self, environment: str) -> Path:
        """Where an environment's lock is."""
        return self.path / f"{environment}.yaml"

    def lock(self, environment: str) -> ReleaseLock | None:
        """An environment's lock.

        Args:
            environment: Name of the environment.

        Returns:
            The lock; none where nothing was promoted yet.

        Raises:
            InputError: The file is not as it was written; says where.
        """
        return load_lock(self.lock_file(environment))

    def file(self, sha256: str, kind: Kind) -> Path:
        """Where a file that is named by its hash is."""
        return self.path / "bundles" / f"{sha256}.{kind}"

    def read(self, sha256: str, kind: Kind, named_by: str) -> bytes:
        """Reads what a lock names, and makes sure that it is that.

        Args:
            sha256: The hash.
            kind: What it is.
            named_by: The lock's place that names it, for the message.

        Returns:
            The bytes.

        Raises:
            InputError: The file is missing, or its bytes are not those of its name.
        """
        path = self.file(sha256, kind)
        mend = "restore it from version control, or promote again"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                Problem(str(path), 1, 1, "", f"{named_by} names it, and it cannot be read: {error.strerror}", mend)
            ) from None
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise InputError(
                Problem(str(path), 1, 1, "", f"is not what {named_by} names: the hash of its bytes is {found}", mend)
            )
        return content


@dataclass(frozen=True, slots=True)
class PendingReleases(ReleaseFolder):
    """The folder with what a promotion would put into it.

    Attributes:
        files: What is not on the disk yet, by hash and kind.
    """

    files: dict[tuple[str, Kind], bytes] = field(default_factory=dict)

    def add(self, content: bytes, kind: Kind) -> str:
        """Adds a file; gives its hash."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.files[sha256, kind] = content
        return sha256

    def read(self, sha256: str, kind: Kind, named_by: str) -> bytes:
        """As `ReleaseFolder.read`."""
        pending = self.files.get((sha256, kind))
        return ReleaseFolder.read(self, sha256, kind, named_by) if pending is None else pending
