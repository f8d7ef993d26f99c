"""The gateway's image pinned anew: what its tag means in the registry today, beside what the lock says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from agent_runtime.errors import InputError
from gateway.image import ImageLock, LockedImage, read_image_lock, write_image_lock
from strandline.container_registry import Reference, resolve_digest

if TYPE_CHECKING:
    from pathlib import Path

_OS, _ARCHITECTURE = "linux", "arm64"
"""What the gateway's tasks run on."""


@dataclass(frozen=True, slots=True)
class ImagePin:
    """An image as the registry has it, ready to be written.

    Attributes:
        path: The lock file.
        lock: What the file would say.
        image: The image, with its digest of today.
        before: What is pinned now in its place; `None` for nothing.
    """

    path: Path
    lock: ImageLock
    image: LockedImage
    before: str | None

    @property
    def moved(self) -> bool:
        """Whether the lock would change."""
        return self.image.digest != self.before

    def write(self) -> None:
        """Writes the lock."""
        write_image_lock(self.lock, self.path)


def find_pin(path: Path, profile: Literal["managed", "stateless"], image: str | None = None) -> ImagePin:
    """Looks an image up in its registry.

    Args:
        path: The lock file.
        profile: Whose image.
        image: Another image than the lock's, as `registry/repository:tag`.

    Returns:
        The pin, not yet written.

    Raises:
        InputError: The lock is wrong, the tag floats or names a release that must not be run, or the image is not
            there for the gateway's platform.
        EnvironmentFault: The registry cannot be reached, or is not to be trusted.
    """
    lock = read_image_lock(path)
    found = lock.of(managed=True) if profile == "managed" else lock.stateless
    wanted = _named(image) if image else found
    if wanted is None:
        raise InputError(f"{path} has no image for {profile}: name one with --image.")
    reference = Reference.parse(f"{wanted.repository}:{wanted.tag}")
    digest = resolve_digest(reference, os=_OS, architecture=_ARCHITECTURE)
    pinned = wanted.model_copy(update={"digest": digest})
    return ImagePin(path, lock.model_copy(update={profile: pinned}), pinned, found.digest if found else None)


def _named(image: str) -> LockedImage:
    reference = Reference.parse(image)
    try:
        return LockedImage(repository=f"{reference.host}/{reference.repository}", tag=reference.tag)
    except ValidationError as error:
        faults = [fault for details in error.errors() for fault in details["ctx"]["faults"]]
        raise InputError(*(f"{image}: {fault.message} ({fault.hint})" for fault in faults)) from None
