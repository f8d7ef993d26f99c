# mypy: disable-error-code="import-not-found"

"""Put our resource types into MiniStack's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ministack.services.cloudformation import provisioners, stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..context import Context

Properties = dict[str, Any]
Made = tuple[str, Properties]


@dataclass(frozen=True)
class ResourceType:
    """How a type is made, changed and removed.

    Attributes:
        create: `(logical_id, properties, stack_name) -> (physical_id, attributes)`.
        update: `(physical_id, old, new, stack_name) -> (physical_id, attributes)`; without it every change replaces.
        delete: `(physical_id, properties) -> None`.
        replacing: Properties whose change makes a new resource.
        blocking: Whether it waits for something that may call the emulator; it then runs on a thread of its own.
    """

    create: Callable[[str, Properties, str], Made]
    delete: Callable[[str, Properties], None]
    update: Callable[[str, Properties, Properties, str], Made] | None = None
    replacing: tuple[str, ...] = ()
    blocking: bool = False


def install(context: Context) -> None:
    """Register every type."""
    from . import agentcore, ecs, flow_logs, load_balancing, monitoring, network, roles, scaling, secretsmanager

    blocking: set[str] = set()
    for module in (agentcore, ecs, flow_logs, network, scaling, secretsmanager):
        for name, resource_type in module.types(context).items():
            _register(name, resource_type)
            if resource_type.blocking:
                blocking.add(name)
    load_balancing.install(context)
    monitoring.install()
    roles.install()
    _run_on_threads(blocking)


def wrap(name: str, **operations: Any) -> None:
    """Replace single operations of a type that MiniStack has."""
    provisioners._RESOURCE_HANDLERS[name] = {**provisioners._RESOURCE_HANDLERS[name], **operations}


def _register(name: str, resource_type: ResourceType) -> None:
    handler: dict[str, Any] = {"create": resource_type.create, "delete": resource_type.delete}
    if resource_type.update is not None:
        handler["update"] = resource_type.update
    provisioners._RESOURCE_HANDLERS[name] = handler
    if resource_type.replacing:
        provisioners._REPLACING_PROPERTIES[name] = resource_type.replacing


def _run_on_threads(names: set[str]) -> None:
    """MiniStack makes resources on its event loop; one that waits for a process there would wait for ever."""
    before = stacks._runs_on_worker_thread

    def runs_on_worker_thread(resource_type: str) -> bool:
        return resource_type in names or bool(before(resource_type))

    stacks._runs_on_worker_thread = runs_on_worker_thread


def inherited(name: str) -> Mapping[str, Callable[..., Any]]:
    """MiniStack's own handlers of a type."""
    handlers: Mapping[str, Callable[..., Any]] = dict(provisioners._RESOURCE_HANDLERS[name])
    return handlers
