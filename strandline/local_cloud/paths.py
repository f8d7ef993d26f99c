"""Where a local cloud keeps its files. Pure: nothing here touches the disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).parent
_ROOT = _PACKAGE.parent.parent


@dataclass(frozen=True, slots=True)
class CloudPaths:
    """The layout of a local cloud's home folder."""

    home: Path

    @property
    def cloud_id(self) -> str:
        """Names this home in the environment of each of its processes, so that none can be lost."""
        return hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:16]

    @property
    def cloud(self) -> Path:
        """Everything that `down` may forget, apart from the virtual environments."""
        return self.home / "cloud"

    @property
    def settings(self) -> Path:
        """What the emulator is told at start."""
        return self.cloud / "settings.json"

    @property
    def running(self) -> Path:
        """Process id and port of the running emulator."""
        return self.cloud / "running.json"

    @property
    def logs(self) -> Path:
        """The emulator's log, and below it one file for each task and session."""
        return self.cloud / "logs"

    @property
    def emulator_log(self) -> Path:
        """The emulator's own log."""
        return self.logs / "emulator.log"

    @property
    def state(self) -> Path:
        """What survives `down` when it was asked for."""
        return self.cloud / "state"

    @property
    def scratch(self) -> Path:
        """Home folders of tasks and sessions, unpacked artefacts."""
        return self.cloud / "scratch"


EMULATOR_LOCK = _PACKAGE / "requirements.lock"
GATEWAY_LOCK = _ROOT / "gateway" / "requirements.lock"
EMULATOR_SOURCE = _PACKAGE
MARKER = "STRANDLINE_LOCAL_CLOUD"
