"""What the controller tells the emulator. Pure: it only reads its file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MARKER = "STRANDLINE_LOCAL_CLOUD"


@dataclass(frozen=True)
class Limits:
    """Waits in seconds. The values are those of AWS where AWS has one.

    Attributes:
        start_v1: From the start of a session's process to its first healthy ping, platform V1.
        start_v2: The same on platform V2.
        idle_scale: Idle timeouts and lifetimes of sessions are multiplied by this (tests cannot wait 60 s).
        invocation: The longest that an invocation may say nothing.
        stop: Between SIGTERM and SIGKILL for a session.
        steady: How long CloudFormation waits for a service's steady state.
        health_scale: Intervals of health checks are multiplied by this.
    """

    start_v1: float = 30.0
    start_v2: float = 120.0
    idle_scale: float = 1.0
    invocation: float = 900.0
    stop: float = 5.0
    steady: float = 600.0
    health_scale: float = 1.0


@dataclass(frozen=True)
class Image:
    """A program that stands in for a container image (see the controller's `settings.Image`)."""

    pattern: str
    command: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    gateway: bool = False


@dataclass(frozen=True)
class Settings:
    """The emulator's settings."""

    cloud_id: str
    cloud: Path
    port: int
    persist: bool
    region: str
    gateway_environment: Path
    images: tuple[Image, ...]
    limits: Limits

    @classmethod
    def from_file(cls, path: Path) -> Settings:
        """Read what the controller wrote."""
        data: dict[str, Any] = json.loads(path.read_text())
        images = tuple(
            Image(**{**image, "command": tuple(image["command"]), "arguments": tuple(image["arguments"])})
            for image in data["images"]
        )
        return cls(
            cloud_id=data["cloud_id"],
            cloud=Path(data["cloud"]),
            port=int(data["port"]),
            persist=bool(data["persist"]),
            region=data["region"],
            gateway_environment=Path(data["gateway_environment"]),
            images=images,
            limits=Limits(**data["limits"]),
        )

    @property
    def url(self) -> str:
        """Where clients reach the emulator."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def scratch(self) -> Path:
        """Home folders of tasks and sessions, unpacked artefacts."""
        return self.cloud / "scratch"

    @property
    def logs(self) -> Path:
        """One file for each task and session."""
        return self.cloud / "logs"

    def marker(self) -> dict[str, str]:
        """The variable by which a process of this cloud is found again."""
        return {_MARKER: self.cloud_id}

    def ministack_environment(self) -> dict[str, str]:
        """What MiniStack reads at import."""
        state = self.cloud / "state"
        return {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": self.region,
            "AWS_ENDPOINT_URL": self.url,
            "PERSIST_STATE": "1" if self.persist else "0",
            "STATE_DIR": str(state / "services"),
            "S3_PERSIST": "1" if self.persist else "0",
            "S3_DATA_DIR": str(state / "s3"),
            "ECS_RESTORE_RECONCILE_DELAY_SECONDS": "0.3",
            # Servers of services that nothing of ours uses; each would listen on a port of its own.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": str(self.scratch),
            "LOG_LEVEL": "INFO",
        }
