"""What an emulator is told at start, and the defaults that the environment may change."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent_runtime.errors import InputError
from strandline.local_cloud.paths import EMULATOR_LOCK, GATEWAY_LOCK, CloudPaths

_DEFAULT_PORT = 4566


@dataclass(frozen=True, slots=True)
class Image:
    """The program of this machine that stands in for a container image.

    Attributes:
        pattern: Shell pattern for the image's repository (without tag and digest).
        command: The program, and arguments that come before the task's own.
        arguments: Arguments that come after the task's own; `{address}` is the task's address.
        environment: Variables beside the task's own; `{address}` is the task's address.
        gateway: Whether the program lies in the gateway's virtual environment, which is then built at first use.
    """

    pattern: str
    command: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    gateway: bool = False


LITELLM = Image(
    pattern="*litellm*",
    command=("litellm",),
    arguments=("--host", "{address}"),
    environment={"HOST": "{address}"},
    gateway=True,
)


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """What may differ between two clouds.

    Attributes:
        region: The region that clients are pointed at.
        images: Programs that stand in for container images, asked in this order.
        limits: Changes of the emulator's waits in seconds (see `emulator/settings.py`), for tests.
    """

    region: str = field(default_factory=lambda: os.environ.get("STRANDLINE_LOCAL_REGION", "us-east-1"))
    images: tuple[Image, ...] = field(default_factory=lambda: (*configured_images(), LITELLM))
    limits: dict[str, float] = field(default_factory=dict)

    def for_run(self, paths: CloudPaths, port: int, persist: bool) -> dict[str, Any]:
        """The object that the emulator reads."""
        return {
            "cloud_id": paths.cloud_id,
            "home": str(paths.home),
            "cloud": str(paths.cloud),
            "port": port,
            "persist": persist,
            "region": self.region,
            "images": [asdict(image) for image in self.images],
            "limits": self.limits,
            "emulator_lock": str(EMULATOR_LOCK),
            "gateway_lock": str(GATEWAY_LOCK),
        }


def default_home() -> Path:
    """`STRANDLINE_HOME`, or `.strandline` in the current folder."""
    return Path(os.environ.get("STRANDLINE_HOME") or ".strandline")


def default_port() -> int:
    """`STRANDLINE_LOCAL_PORT`, or 4566.

    Raises:
        InputError: The variable is not a number.
    """
    text = os.environ.get("STRANDLINE_LOCAL_PORT") or str(_DEFAULT_PORT)
    if not text.isdigit():
        raise InputError(f"STRANDLINE_LOCAL_PORT is {text!r}: a port number is needed")
    return int(text)


def configured_images() -> tuple[Image, ...]:
    """The images of the JSON file that `STRANDLINE_LOCAL_IMAGES` names: a list of objects with the fields of `Image`.

    Raises:
        InputError: The file cannot be read or does not hold such a list.
    """
    name = os.environ.get("STRANDLINE_LOCAL_IMAGES")
    if not name:
        return ()
    try:
        entries = json.loads(Path(name).read_text(encoding="utf-8"))
        return tuple(Image(**{**entry, "command": tuple(entry["command"])}) for entry in entries)
    except (OSError, ValueError, TypeError, KeyError) as fault:
        raise InputError(f"{name}: not a list of images (named by STRANDLINE_LOCAL_IMAGES): {fault}") from fault
