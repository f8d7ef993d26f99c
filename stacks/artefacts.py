"""Which code artefact an agent runs on: the features that it needs, and the user's code if it has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.user_code import needs_user_code
from stacks.packaging import build_code_artefact, lock_of
from stacks.user_code import read_user_code

if TYPE_CHECKING:
    from pathlib import Path

    from agent_runtime.blueprint import Blueprint
    from stacks.packaging import CodeArtefact, Target
    from stacks.user_code import UserCode

FEATURES = ("light", "litellm", "anthropic", "vertex", "presidio", "a2a", "otel")
"""Lock files of `agent_runtime/requirements`; any of them go together."""

_OF_PROVIDERS = ("anthropic", "vertex")


def features_of(blueprint: Blueprint) -> tuple[str, ...]:
    """Tells which packages an agent needs.

    Args:
        blueprint: The agent.

    Returns:
        Names of lock files in `agent_runtime/requirements`, in one order for all agents.
    """
    wanted: set[str] = {blueprint.dependency_set}
    if blueprint.model.provider in _OF_PROVIDERS:
        wanted.add(blueprint.model.provider)
    if blueprint.observability.data_protection.provider == "presidio":
        wanted.add("presidio")
    if blueprint.runtime.protocol == "A2A":
        wanted.add("a2a")
    if blueprint.observability.enabled:
        wanted.add("otel")
    return tuple(feature for feature in FEATURES if feature in wanted)


class Artefacts:
    """The artefacts of one environment; agents with the same needs share one.

    Args:
        blueprints: The blueprints folder.
        target: What the artefacts have to run on.
        home: The project's `.strandline` folder.
    """

    def __init__(self, blueprints: Path, target: Target, home: Path) -> None:
        self._blueprints = blueprints
        self._target = target
        self._home = home
        self._user_code: UserCode | None = None
        self._built: dict[tuple[tuple[str, ...], bool], CodeArtefact] = {}

    def of(self, blueprint: Blueprint) -> CodeArtefact:
        """Gives the artefact of an agent.

        Args:
            blueprint: The agent.

        Returns:
            The artefact, built now if it never was.

        Raises:
            InputError: The user's code or its packages cannot be packaged.
            EnvironmentFault: The artefact cannot be built.
        """
        needs = features_of(blueprint), needs_user_code(blueprint)
        if needs not in self._built:
            features, own = needs
            code = self._read_user_code() if own else None
            self._built[needs] = build_code_artefact(features, self._target, self._home, code)
        return self._built[needs]

    def _read_user_code(self) -> UserCode:
        if self._user_code is None:
            # All of our locks: the user's packages stay the same, whichever features an agent has.
            self._user_code = read_user_code(self._blueprints, [lock_of(feature) for feature in FEATURES])
        return self._user_code
