"""Whether an environment can keep what `gateway.yaml` promises there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.strict import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent_runtime.errors import Problem
    from agent_runtime.yaml_nodes import Document
    from gateway.settings import GatewayModel, GatewaySettings
    from gateway.target import GatewayTarget

_ADD_REDIS = "add redis: {} to gateway in environments.yaml, run one task (max_tasks: 1), or remove"


def find_hosting_faults(
    document: Document, settings: GatewaySettings, target: GatewayTarget, environment: str
) -> list[Problem]:
    """Find limits that tasks would each count by themselves, and a cache that is not there.

    In simulation there is no provider to be limited, and the cache is each task's own.

    Args:
        document: `gateway.yaml` as read.
        settings: What it says.
        target: Where it runs.
        environment: Name of the environment, to be told.

    Returns:
        The problems.
    """
    if target.redis or target.simulates:
        return []
    faults: Iterable[Fault] = [*_cache_faults(settings), *(_limit_faults(settings, target) if target.tasks > 1 else ())]
    return [document.problem(fault.at, f"in {environment}: {fault.message}", fault.hint) for fault in faults]


def _cache_faults(settings: GatewaySettings) -> Iterator[Fault]:
    if settings.cache.type in ("redis", "semantic"):
        yield Fault(
            f"the cache is {settings.cache.type}, and there is no Redis",
            "add redis: {} to gateway in environments.yaml, or write type: in-memory",
            ("cache", "type"),
        )


def _limit_faults(settings: GatewaySettings, target: GatewayTarget) -> Iterator[Fault]:
    for name, model in settings.models.items():
        for place, field in _limits(model):
            message = (
                f"{target.tasks} tasks would each count {field} by itself: without Redis it is {target.tasks} times"
            )
            yield Fault(message, f"{_ADD_REDIS} {field}", ("models", name, *place, field))


def _limits(model: GatewayModel) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for position, deployment in enumerate(model.all_deployments):
        place: tuple[str | int, ...] = () if model.model else ("deployments", position)
        for field in ("rpm", "tpm", "budget"):
            if getattr(deployment, field) is not None:
                yield place, field
