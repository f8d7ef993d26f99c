"""What a blueprint may say although this version does not do it yet, each told wherever the blueprint is checked.

Such a field is right, and belongs to the format; what would be wrong is that its author relies on it. A field of which
nobody has to know any more is taken out of here by whoever makes it work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.strict import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent_runtime.blueprint import Blueprint
    from agent_runtime.errors import Problem
    from agent_runtime.loader import LoadedBlueprint


def find_notices(agents: Sequence[LoadedBlueprint]) -> list[Problem]:
    """Find what the authors of blueprints should know, though nothing is wrong.

    Args:
        agents: The agents.

    Returns:
        The notices, at the blueprints' own lines, each once.
    """
    found = [
        agent.document.problem(notice.at, notice.message, notice.hint)
        for agent in agents
        for notice in _notices(agent.blueprint)
    ]
    return sorted(set(found))


def _notices(blueprint: Blueprint) -> Iterator[Fault]:
    if blueprint.gateway and blueprint.gateway.url is None:
        message = "gateway has no effect without url: no server of tools is asked"
        yield Fault(message, "add url, the address of the AgentCore gateway, or remove gateway", ("gateway",))
