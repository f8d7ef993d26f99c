"""Container images, and the programs of this machine that stand in for them."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..settings import Image, Settings


class NoProgram(Exception):
    """Raised when no program stands in for an image."""


def repository(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.split("@", 1)[0]
    head, _, tail = name.rpartition("/")
    return f"{head}/{tail.split(':', 1)[0]}".lstrip("/")


class Images:
    """The mapping, and what MiniStack asks of a Docker client's images."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def program(self, image: str) -> Image:
        """What stands in for an image.

        Raises:
            NoProgram: Nothing does.
        """
        for candidate in self._settings.images:
            if fnmatch.fnmatch(repository(image), candidate.pattern):
                return candidate
        known = ", ".join(candidate.pattern for candidate in self._settings.images)
        raise NoProgram(f"no program of this machine stands in for the image {image} (there are some for {known})")

    def path(self, program: Image) -> str:
        """The search path of a task: its program's folder first."""
        folders = ["/usr/local/bin", "/usr/bin", "/bin"]
        if program.gateway:
            folders.insert(0, str(self._settings.gateway_environment / "bin"))
        elif Path(program.command[0]).is_absolute():
            folders.insert(0, str(Path(program.command[0]).parent))
        return os.pathsep.join(folders)

    def command(self, program: Image, entry_point: Sequence[str], command: Sequence[str], address: str) -> list[str]:
        """The command line of a task; an entry point of its own is taken as it is."""
        if entry_point:
            return [*entry_point, *command]
        arguments = [part.replace("{address}", address) for part in program.arguments]
        head, *rest = program.command
        if program.gateway:
            head = str(self._settings.gateway_environment / "bin" / head)
        return [head, *rest, *command, *arguments]

    def pull(self, name: str, **_: object) -> PulledImage:
        """Every image is there."""
        return PulledImage(name)

    get = get_registry_data = pull


class PulledImage:
    """An image as the Docker SDK gives it."""

    def __init__(self, name: str) -> None:
        self.id = name.split("@", 1)[1] if "@" in name else f"sha256:{'0' * 64}"
        self.attrs: dict[str, object] = {}

    def tag(self, _repository: str, **_: object) -> bool:
        """There is nothing to tag."""
        return True
