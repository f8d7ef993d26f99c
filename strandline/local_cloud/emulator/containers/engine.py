# mypy: disable-error-code="import-not-found,import-untyped"

"""What MiniStack asks of a Docker client, answered with processes."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
from ministack.services import ecs

from . import deployments, task_start
from .container import ProcessContainer
from .images import Images

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..addresses import AddressBook
    from ..context import Context
    from ..processes import Supervisor
    from ..settings import Settings

logger = logging.getLogger("strandline.ecs")

_ENGINE_SECONDS = 3
_FORGET_SECONDS = 3600.0
_RECENT_SECONDS, _MOST_RECENT, _UNTHROTTLED, _LONGEST_PAUSE = 20.0, 64, 12, 5.0


def install(context: Context) -> None:
    """Set the stand-in, unless a Docker engine answers: containers are then left to MiniStack."""
    if docker_answers():
        logger.info("engine=<docker> | tasks run as containers")
        return
    ecs._docker = engine = Engine(context)
    task_start.install(context)
    deployments.install(engine.containers)
    logger.info("engine=<process> | tasks run as processes")


def docker_answers() -> bool:
    """Whether this machine has a Docker engine."""
    with contextlib.suppress(Exception):
        client = docker.from_env(timeout=_ENGINE_SECONDS)
        client.ping()
        return True
    return False


class Engine:
    """The client."""

    def __init__(self, context: Context) -> None:
        self.images = Images(context.settings)
        self.containers = Containers(
            context.settings, context.supervisor, context.addresses, self.images, context.balancers.drain
        )


class Containers:
    """The client's containers."""

    def __init__(
        self,
        settings: Settings,
        supervisor: Supervisor,
        addresses: AddressBook,
        images: Images,
        drain: Callable[[str, str], None],
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._addresses = addresses
        self._images = images
        self._drain = drain
        self._containers: dict[str, ProcessContainer] = {}
        self._task_addresses: dict[str, str] = {}
        self._starts: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def run(self, image: str, **options: Any) -> ProcessContainer:
        """Start a container of a task; the containers of one task share its address."""
        del image  # the task definition's own name of it, before a digest was put in its place
        definition, task_arn = task_start.current_definition(options), options["labels"]["com.amazonaws.ecs.task-arn"]
        program = self._images.program(definition["image"])
        container = ProcessContainer(
            f"process{secrets.token_hex(28)}", options, definition, self._address(task_arn), self._stopped
        )
        container.deployment = deployments.deployment_of(task_arn)
        self._throttle(options["labels"]["com.amazonaws.ecs.task-definition-family"])
        scratch = self._settings.scratch / "tasks" / options["name"]
        scratch.mkdir(parents=True, exist_ok=True)
        address = {name: value.replace("{address}", container.address) for name, value in program.environment.items()}
        container.environment = {
            "PATH": self._images.path(program),
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            **address,
            **options["environment"],
        }
        entry_point = definition.get("entryPoint") or []
        container.child = self._supervisor.start(
            self._images.command(program, entry_point, options.get("command") or [], container.address),
            environment=container.environment,
            folder=scratch,
            log=self._settings.logs / "tasks" / f"{options['name']}.log",
        )
        with self._lock:
            self._containers[container.id] = container
        return container

    def get(self, container_id: str) -> ProcessContainer:
        """A container by its id.

        Raises:
            docker.errors.NotFound: There is none.
        """
        with self._lock:
            container = self._containers.get(container_id)
        if container is None:
            raise docker.errors.NotFound(container_id)
        return container

    def list(self, **_: object) -> Sequence[ProcessContainer]:
        """All of them."""
        with self._lock:
            return tuple(self._containers.values())

    def of_task(self, task_arn: str) -> Sequence[ProcessContainer]:
        """The containers of a task."""
        return [container for container in self.list() if container.task_arn == task_arn]

    def _throttle(self, family: str) -> None:
        """Start tasks that end at once less and less often, as ECS does where no circuit breaker stops it."""
        now = time.monotonic()
        with self._lock:
            recent = self._starts.setdefault(family, deque(maxlen=_MOST_RECENT))
            starts = sum(now - started < _RECENT_SECONDS for started in recent)
            recent.append(now)
        if starts > _UNTHROTTLED:
            time.sleep(min(_LONGEST_PAUSE, 0.1 * 2.0 ** (starts - _UNTHROTTLED)))

    def _address(self, task_arn: str) -> str:
        with self._lock:
            if task_arn not in self._task_addresses:
                self._task_addresses[task_arn] = self._addresses.for_task()
            return self._task_addresses[task_arn]

    def _stopped(self, container: ProcessContainer) -> None:
        """Let requests that are in flight come to their end, then forget the container."""
        child = container.running_child
        if child.running:
            self._drain(container.task_arn, container.address)
        threading.Thread(target=self._forget, args=(container,), daemon=True).start()

    def _forget(self, container: ProcessContainer) -> None:
        container.running_child.wait(_FORGET_SECONDS)
        with self._lock:
            self._containers.pop(container.id, None)
            if not any(other.task_arn == container.task_arn for other in self._containers.values()):
                self._task_addresses.pop(container.task_arn, None)
                self._addresses.release(container.address)
