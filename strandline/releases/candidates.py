"""What of an environment can be promoted: its agents as they run there, and what the same release is further on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_runtime.bundle import build_bundle
from agent_runtime.errors import InputError
from stacks.releases.lock import PinnedBundle

if TYPE_CHECKING:
    from agent_runtime.blueprint import EnvironmentName
    from agent_runtime.loader import LoadedBlueprint
    from stacks.environments import Environment
    from stacks.releases.lock import ReleasedAgent
    from stacks.releases.store import ReleaseFolder

ORDER = ("local", "simulation", "staging", "production")


@dataclass(frozen=True, slots=True)
class Origin:
    """An agent's release in the environment that it is promoted from.

    Attributes:
        agent: The agent's id.
        version: Version in the blueprint.
        bundle: SHA-256 of its bundle there.
        onward: The same release in the environments after it.
        has_checks: Whether it has checks, which then must have passed.
        artefact: SHA-256 of its code by the environment's lock; none where the working tree is deployed.
        contents: The bundles that are not on the disk yet.
    """

    agent: str
    version: str
    bundle: str
    onward: Mapping[EnvironmentName, PinnedBundle]
    has_checks: bool
    artefact: str | None = None
    contents: Sequence[bytes] = field(default=(), repr=False)


def origin_in_tree(
    agent: LoadedBlueprint, here: Environment, there: Environment, later: Sequence[Environment]
) -> Origin:
    """The release of an agent that comes from the working tree.

    Args:
        agent: The agent as loaded.
        here: The environment that deploys the working tree.
        there: Where it is promoted to.
        later: The environments after that.

    Returns:
        The release, with what it is in each of them that it may go to.

    Raises:
        InputError: The agent may not go there, or not as it is.
    """
    require_mode(agent, there)
    at_source = agent.for_environment(here)
    own = build_bundle(at_source)
    onward: dict[EnvironmentName, PinnedBundle] = {}
    contents = [own.content]
    for environment in (there, *later):
        if not agent.blueprint.allows(environment.execution_mode):
            continue
        try:
            resolved = agent.for_environment(environment)
        except InputError:
            if environment is there:
                raise
            # Not today's question: the promotion to there will say that the release does not fit.
            continue
        bundle = build_bundle(resolved)
        contents.append(bundle.content)
        onward[environment.name] = PinnedBundle(bundle=bundle.sha256, variables=dict(resolved.variables))
    return Origin(
        agent.blueprint.id,
        at_source.blueprint.version,
        own.sha256,
        onward,
        bool(at_source.blueprint.checks),
        contents=contents,
    )


def origin_in_lock(
    agent: LoadedBlueprint, entry: ReleasedAgent, folder: ReleaseFolder, here: str, there: str
) -> Origin:
    """The release of an agent that a lock names.

    Args:
        agent: The agent as the lock pins it.
        entry: Its entry.
        folder: The project's releases.
        here: Name of the lock's environment.
        there: Name of the environment that it is promoted to.

    Returns:
        The release.

    Raises:
        InputError: The release may not go there, or is not what the lock names.
    """
    name = agent.blueprint.id
    if there not in entry.onward:
        raise InputError(
            f"{folder.lock_file(here)}: agents.{name}.onward has no {there}: the release was not allowed there, or did "
            f"not fit, when it was promoted to {here}. Mend the blueprint and promote to {here} again."
        )
    for environment, pinned in entry.onward.items():
        folder.read(pinned.bundle, "json", f"{folder.lock_file(here)}: agents.{name}.onward.{environment}")
    return Origin(
        name, entry.version, entry.bundle, entry.onward, bool(agent.blueprint.checks), artefact=entry.artefact
    )


def require_mode(agent: LoadedBlueprint, there: Environment) -> None:
    """Makes sure that an agent's blueprint allows an environment.

    Args:
        agent: The agent.
        there: The environment.

    Raises:
        InputError: It does not.
    """
    mode = there.execution_mode
    if not agent.blueprint.allows(mode):
        raise InputError(
            agent.document.problem(
                ("execution_modes", mode),
                f"{agent.blueprint.id} may not be promoted to {there.name}: execution_modes.{mode} is false",
                f"write execution_modes: {{{mode}: true}} when it may",
            )
        )


def require_order(here: Environment, there: Environment, known: Sequence[str], forced: str | None) -> list[str]:
    """Makes sure that a promotion goes to the next environment.

    Args:
        here: Where it comes from.
        there: Where it goes to.
        known: Names of the project's environments.
        forced: Why the rule may be passed over.

    Returns:
        The rule that was passed over, if it was.

    Raises:
        InputError: It goes back, or passes an environment by without a reason.
    """
    first, last = ORDER.index(here.name), ORDER.index(there.name)
    if not there.is_locked:
        raise InputError(f"{there.name} deploys the working tree: `strandline deploy --env {there.name}`.")
    if first >= last:
        raise InputError(f"A promotion goes on from {here.name}, and {there.name} is not after it.")
    if here.is_emulated != there.is_emulated:
        raise InputError(
            f"{here.name} and {there.name} are not of the same kind: code that was built for the cloud on this machine "
            "runs nowhere else. Promote from an environment of AWS."
        )
    skipped = [name for name in ORDER[first + 1 : last] if name in known]
    if not skipped:
        return []
    rule = f"{' and '.join(skipped)} {'was' if len(skipped) == 1 else 'were'} passed by"
    if forced is None:
        raise InputError(
            f"From {here.name} to {there.name}, {rule}: promote to {skipped[0]} first, or say --force --reason WHY."
        )
    return [rule]
