"""The project as an environment's release lock pins it, in place of the working tree. Imports no CDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent_runtime.bundle import Bundle, read_bundle
from agent_runtime.errors import EnvironmentFault, InputError, Problem
from agent_runtime.loader import LoadedBlueprint
from agent_runtime.references import References
from agent_runtime.validation import validate
from agent_runtime.yaml_reader import parse_yaml
from gateway.compile import compile_config
from gateway.image import read_image_lock
from gateway.scenarios import compile_scenarios
from gateway.settings import GatewaySettings
from stacks.gateway_bundle import build_gateway_bundle
from stacks.gateway_target import gateway_target
from stacks.project import load_project
from stacks.releases.store import ReleaseFolder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from agent_runtime.destination import Destination
    from agent_runtime.yaml_nodes import Document
    from gateway.scenario_schema import Scenario
    from stacks.environments import Environment
    from stacks.project import Project
    from stacks.releases.lock import ReleasedAgent, ReleaseLock

_NOTHING: Mapping[str, Scenario] = {}
_TIMES_LARGER = 16  # a blueprint with its defaults written out


@dataclass(frozen=True, slots=True)
class PinnedArtefact:
    """A code artefact that the release bucket holds.

    Attributes:
        sha256: Its hash.
        runtime: AgentCore's name of its Python.
    """

    sha256: str
    runtime: str

    @property
    def key(self) -> str:
        """Its key in the release bucket."""
        return f"artefacts/{self.sha256}.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedBlueprint(LoadedBlueprint):
    """An agent as it was promoted; it is what it is in its environment already.

    Attributes:
        bundle: Its bundle, byte for byte.
        artefact: The code that it runs on.
    """

    bundle: Bundle
    artefact: PinnedArtefact

    def for_environment(self, environment: Destination) -> LoadedBlueprint:
        """The agent itself: overlay and variables were laid over it when it left the working tree."""
        return self


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What a gateway's settings become in an environment.

    Attributes:
        configuration: SHA-256 of the gateway bundle.
        image: The container image.
    """

    configuration: str
    image: str


def released_project(tree: Project, environment: Environment, folder: ReleaseFolder) -> Project:
    """Gives what an environment deploys.

    Args:
        tree: The project as the working tree has it.
        environment: The environment.
        folder: The project's releases.

    Returns:
        The tree's own where the environment deploys that; else what its lock names, which may be nothing.

    Raises:
        InputError: The lock, or something that it names, is not what was promoted; says what differs.
    """
    if not environment.is_locked:
        return tree
    lock = folder.lock(environment.name)
    if lock is None:
        return replace(tree, agents=(), gateway=None, scenarios={}, gateway_document=None)
    return project_of_lock(tree, environment, folder, lock)


def project_in(environment: Environment, blueprints: Path, environments: Path) -> Project:
    """Gives the project as an environment has it: what its lock names, or the working tree where it has no lock.

    Args:
        environment: The environment.
        blueprints: The blueprints folder.
        environments: `environments.yaml`, beside which the releases are.

    Returns:
        The project.

    Raises:
        InputError: A file is wrong, or something of a release is not what was promoted.
    """
    tree, folder = load_project(blueprints), ReleaseFolder.beside(environments)
    lock = folder.lock(environment.name) if environment.is_locked else None
    return project_of_lock(tree, environment, folder, lock) if lock else tree


def project_of_lock(tree: Project, environment: Environment, folder: ReleaseFolder, lock: ReleaseLock) -> Project:
    """Gives what a lock names.

    Args:
        tree: The project as the working tree has it.
        environment: The lock's environment.
        folder: The project's releases, which hold the bundles.
        lock: The lock.

    Returns:
        The project.

    Raises:
        InputError: A bundle is not what the lock names, or the gateway would become another one.
    """
    agents = [released_agent(name, entry, folder, environment.name) for name, entry in lock.agents.items()]
    settings, document = gateway_of(folder, lock)
    if lock.gateway and settings:
        where = f"{folder.lock_file(environment.name)}: gateway"
        facts = gateway_facts(settings, environment, agents)
        for name, pinned, found in (
            ("configuration", lock.gateway.configuration, facts.configuration),
            ("image", lock.gateway.image, facts.image),
        ):
            if pinned != found:
                raise InputError(
                    f"{where}.{name} is {pinned}, and with this environments.yaml and this version of Strandline it "
                    f"would be {found}: go back to those of the release, or "
                    f"`strandline promote --all --from {lock.gateway.promoted_from} --to {environment.name}`."
                )
    return replace(tree, agents=agents, gateway=settings, scenarios={}, gateway_document=document)


def released_agent(name: str, entry: ReleasedAgent, folder: ReleaseFolder, environment: str) -> ReleasedBlueprint:
    """Reads an agent's release.

    Args:
        name: The agent's id.
        entry: What the lock says of it.
        folder: The project's releases.
        environment: The lock's environment.

    Returns:
        The agent.

    Raises:
        InputError: The bundle is not what the lock names, or another agent's.
    """
    where = f"{folder.lock_file(environment)}: agents.{name}.bundle"
    content = folder.read(entry.bundle, "json", where)
    file = str(folder.file(entry.bundle, "json"))
    try:
        agent = read_bundle(content, entry.bundle)
    except EnvironmentFault as fault:
        raise InputError(f"{file}: {fault}, by `strandline promote {name}`.") from None
    if agent.blueprint.id != name or agent.blueprint.version != entry.version:
        raise InputError(
            Problem(
                file,
                1,
                1,
                "",
                f"is {agent.blueprint.id} {agent.blueprint.version}, and {where} names it as {name} {entry.version}",
                "promote again",
            )
        )
    blueprint = json.dumps(json.loads(content)["blueprint"], ensure_ascii=True)
    return ReleasedBlueprint(
        agent.blueprint,
        agent.prompt,
        file,
        parse_yaml(blueprint.encode(), file, times=_TIMES_LARGER),
        References(folder.path),
        variables=dict(entry.variables),
        bundle=Bundle(entry.bundle, content),
        artefact=PinnedArtefact(entry.artefact, entry.runtime),
    )


def gateway_facts(
    settings: GatewaySettings,
    environment: Environment,
    agents: Iterable[LoadedBlueprint],
    scenarios: Mapping[str, Scenario] = _NOTHING,
) -> GatewayFacts:
    """Tells what a gateway's settings become in an environment.

    Args:
        settings: `gateway.yaml`.
        environment: The environment.
        agents: Its agents, each as it is there.
        scenarios: What a simulator answers by.

    Returns:
        The facts, by which a lock pins the gateway.
    """
    agents = list(agents)
    target = gateway_target(environment, agents)
    answers = compile_scenarios(scenarios, agents) if target.simulates else {}
    bundle = build_gateway_bundle(compile_config(settings, target), answers)
    return GatewayFacts(bundle.sha256, read_image_lock().of(managed=environment.gateway.is_managed).name)


def gateway_of(folder: ReleaseFolder, lock: ReleaseLock) -> tuple[GatewaySettings | None, Document | None]:
    """Reads the gateway's settings that a lock names.

    Args:
        folder: The project's releases.
        lock: The lock.

    Returns:
        The settings and their file; nothing where the lock names none.

    Raises:
        InputError: The file is not what the lock names.
    """
    if lock.gateway is None:
        return None, None
    where = f"{folder.lock_file(lock.environment)}: gateway.settings"
    content = folder.read(lock.gateway.settings, "yaml", where)
    document = parse_yaml(content, str(folder.file(lock.gateway.settings, "yaml")))
    return validate(GatewaySettings, document), document
