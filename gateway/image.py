"""Which LiteLLM runs, and in which container images: `image.lock`, where each is pinned by its digest.

BerriAI's own image is its `-non_root` variant: it runs as `nobody` on a read-only root file system and brings Prisma's
engine along, where `litellm` wants root and `litellm-database` a writable home. `stateless` needs no Prisma: an image
of our own (`gateway/Dockerfile`), once it is built and pinned, starts in half the time and memory; until then both
profiles share BerriAI's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

import yaml
from pydantic import Field, StringConstraints

from agent_runtime.strict import Fault, Rules, StrictModel
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import read_yaml

LITELLM_VERSION = "1.102.4"
"""Held by a test to the version in `gateway/requirements.lock`."""

IMAGE_LOCK = Path(__file__).with_name("image.lock")

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[.-].*)?")
_LEAST_VERSION = (1, 84, 0)
_MALWARE = ((1, 82, 7), (1, 82, 8))
_HEADER = """\
# The gateway's container images, each by the digest of its index of platforms. `strandline gateway pin-image` writes
# this where the registry can be reached; a digest of null was never resolved: nothing goes to AWS without one.
"""


def _check_tag(image: LockedImage) -> Iterator[Fault]:
    match = _VERSION.fullmatch(image.tag)
    if match is None:
        yield Fault(
            f"the tag {image.tag} can be moved to another image",
            f"name the tag of a release, such as v{LITELLM_VERSION}",
            ("tag",),
        )
        return
    version = tuple(int(part) for part in match.groups())
    if version in _MALWARE:
        yield Fault("this release of LiteLLM was malware", f"name v{LITELLM_VERSION}", ("tag",))
    elif version < _LEAST_VERSION:
        yield Fault(
            "LiteLLM before 1.84.0 lets callers past its authentication (CVE-2026-49468)",
            f"name v{LITELLM_VERSION}",
            ("tag",),
        )


class LockedImage(StrictModel):
    """An image, by the tag that a person chose and the digest that it had when it was looked up."""

    RULES: ClassVar[Rules] = (_check_tag,)

    repository: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._-]+)+$")] = Field(
        description="Registry and name, without tag."
    )
    tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")] = Field(
        description="Tag of a release."
    )
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = Field(
        default=None, description="Digest of the index of platforms that the tag named; null where nobody looked."
    )

    @property
    def name(self) -> str:
        """What a registry is asked for: by digest where there is one."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


class ImageLock(StrictModel):
    """The whole of `image.lock`."""

    managed: LockedImage = Field(description="BerriAI's image, with Prisma.")
    stateless: LockedImage | None = Field(default=None, description="Our own image, without; null where none is built.")

    def of(self, *, managed: bool) -> LockedImage:
        """The image of a profile.

        Args:
            managed: Whether the gateway has a database.

        Returns:
            The image; BerriAI's also for a gateway without a database where we have built none.
        """
        return self.managed if managed or self.stateless is None else self.stateless


def read_image_lock(path: Path = IMAGE_LOCK) -> ImageLock:
    """Read `image.lock`.

    Args:
        path: The file.

    Returns:
        The images.

    Raises:
        InputError: The file cannot be read, breaks the schema, or names a tag that floats or must not be run.
    """
    return validate(ImageLock, read_yaml(path))


def write_image_lock(lock: ImageLock, path: Path = IMAGE_LOCK) -> None:
    """Write `image.lock`; the same images give the same text.

    Args:
        lock: The images.
        path: The file.
    """
    path.write_text(_HEADER + yaml.safe_dump(lock.model_dump(), sort_keys=False), encoding="utf-8")
