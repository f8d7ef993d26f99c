"""A container that is a process, with what MiniStack's ECS asks of a container."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..processes import Child
    from .deployments import Deployment

_DEFAULT_STOP_SECONDS = 30.0


class ProcessContainer:
    """One container of a task."""

    def __init__(
        self,
        container_id: str,
        options: dict[str, Any],
        definition: dict[str, Any],
        address: str,
        on_stopped: Callable[[ProcessContainer], None],
    ) -> None:
        self.id = container_id
        self.name: str = options["name"]
        self.labels: dict[str, str] = options["labels"]
        self.address = address
        self.definition = definition
        self.deployment: Deployment | None = None
        self.child: Child | None = None
        self.environment: dict[str, str] = {}
        self.draining = threading.Event()
        self._on_stopped = on_stopped
        self._stopper: threading.Thread | None = None
        self._lock = threading.Lock()
        self.attrs: dict[str, Any] = {
            "NetworkSettings": {"Networks": {"loopback": {"IPAddress": address}}},
            "State": {},
        }

    @property
    def task_arn(self) -> str:
        """The task that it is of."""
        return self.labels["com.amazonaws.ecs.task-arn"]

    @property
    def running_child(self) -> Child:
        """Its process."""
        if self.child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.child

    @property
    def is_ending(self) -> bool:
        """Whether it takes no new request, and what it has taken is not over."""
        return self.draining.is_set() and self.running_child.running

    @property
    def status(self) -> str:
        """As Docker says it."""
        return "running" if self.running_child.running else "exited"

    def reload(self) -> None:
        """Look at the process again."""
        self.attrs["State"] = {"ExitCode": self.running_child.exit_code or 0}

    def wait(self, **_: object) -> dict[str, int]:
        """The exit code; MiniStack asks when it has ended."""
        return {"StatusCode": self.running_child.exit_code or 0}

    def logs(self, *, stream: bool = False, tail: int = 10, **_: object) -> Iterator[bytes] | bytes:
        """The output: as it comes, or its last lines."""
        if not stream:
            return "\n".join(self.running_child.tail(tail)).encode()
        return (line.encode() for line in self.running_child.follow())

    def stop(self, timeout: int = 0) -> None:
        """Begin to end it: drain, SIGTERM, SIGKILL after the definition's `stopTimeout`, whatever MiniStack says."""
        del timeout
        with self._lock:
            if self._stopper is None:
                self._stopper = threading.Thread(target=self._end, daemon=True, name=f"stop-{self.name}")
                self._stopper.start()

    def remove(self, **_: object) -> None:
        """It is forgotten when it has ended."""
        self.stop()

    def kill_now(self) -> None:
        """End it without draining: it never served."""
        self.running_child.stop(0.5)

    def _end(self) -> None:
        self.draining.set()
        try:
            self._on_stopped(self)
        finally:
            self.running_child.stop(float(self.definition.get("stopTimeout") or _DEFAULT_STOP_SECONDS))
