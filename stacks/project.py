"""What the user wrote, read and checked: blueprints and `gateway.yaml`. Imports no CDK, so that commands start fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from agent_runtime.expansion import holds_reference
from agent_runtime.loader import load_blueprints
from gateway.hosting_rules import find_hosting_faults
from gateway.routes import find_uncounted, find_unserved
from gateway.scenarios import load_scenarios
from gateway.settings import read_gateway
from stacks.gateway_target import gateway_target
from stacks.names import GATEWAY
from stacks.simulation import is_simulated, secret_names_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent_runtime.errors import Problem
    from agent_runtime.loader import LoadedBlueprint
    from agent_runtime.yaml_nodes import Document
    from gateway.scenario_schema import Scenario
    from gateway.settings import GatewaySettings
    from stacks.environments import Environment

_MOST_TAGS = 50  # TagsMap of the AgentCore API
_OWN_TAGS = 3  # environment, agent, version


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the user's files are.

    Attributes:
        environments: `environments.yaml`.
        blueprints: The folder of the blueprints.
        home: The project's `.strandline` folder.
        releases: The folder of the release locks; `releases` beside `environments.yaml` where none is given.
    """

    environments: Path
    blueprints: Path
    home: Path
    releases: Path | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """What the user wrote.

    Attributes:
        agents: All agents of the blueprints folder.
        gateway: `gateway.yaml`, if there is one.
        folder: The blueprints folder, which also holds the user's code.
        scenarios: What the simulator answers, by agent.
        gateway_document: `gateway.yaml` as read, to point at a place in it.
    """

    agents: Sequence[LoadedBlueprint]
    gateway: GatewaySettings | None
    folder: Path
    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    gateway_document: Document | None = field(default=None, repr=False, compare=False)

    def agents_of(self, environment: Environment) -> list[LoadedBlueprint]:
        """The agents that may run in an environment, each as it is there: overlay and variables in their places.

        Args:
            environment: The environment.

        Returns:
            The agents whose blueprints allow the environment's execution mode.

        Raises:
            InputError: An agent cannot run there as it is; carries every problem of every agent.
        """
        problems: list[Problem | str] = []
        agents: list[LoadedBlueprint] = []
        for agent in self.agents:
            if not agent.blueprint.allows(environment.execution_mode):
                continue
            try:
                agents.append(agent.for_environment(environment))
            except InputError as error:
                problems += error.problems
        problems += _unrouted(agents, self.gateway)
        problems += _without_simulator(agents, self.gateway, environment)
        problems += self._unkept(environment, agents)
        problems += _too_many_tags(agents, environment)
        if problems:
            raise InputError(*problems)
        return agents

    def secret_variables(self, environment: Environment) -> list[str]:
        """The distinct variables whose secrets people set in the environment, sorted."""
        return sorted(self.secret_users(environment))

    def secret_users(self, environment: Environment) -> dict[str, list[str]]:
        """Who names each of those variables: ids of agents, and `gateway`.

        Args:
            environment: The environment.

        Returns:
            Users by variable.
        """
        users: dict[str, list[str]] = {}
        for agent in self.agents_of(environment):
            for name in secret_names_in(agent.blueprint, environment):
                users.setdefault(name, []).append(agent.blueprint.id)
        # In simulation the gateway calls no provider.
        if self.gateway and environment.execution_mode != "simulation":
            for name in self.gateway.secret_names:
                users.setdefault(name, []).append(GATEWAY)
        return users

    def _unkept(self, environment: Environment, agents: Sequence[LoadedBlueprint]) -> list[Problem]:
        """What `gateway.yaml` promises and the environment cannot keep."""
        if self.gateway is None or self.gateway_document is None:
            return []
        target = gateway_target(environment, agents)
        return find_hosting_faults(self.gateway_document, self.gateway, target, environment.name)


def load_project(blueprints: Path) -> Project:
    """Reads blueprints and `gateway.yaml`.

    Args:
        blueprints: The folder of the blueprints.

    Returns:
        The project.

    Raises:
        InputError: Something in them is wrong; carries every problem of every file.
    """
    agents = load_blueprints(blueprints)
    gateway_file = blueprints / "gateway.yaml"
    gateway, document = read_gateway(gateway_file) if gateway_file.exists() else (None, None)
    # What a variable decides is known only in an environment.
    plain = [agent for agent in agents if not holds_reference(agent.blueprint.model.model_id)]
    if problems := [*_named_as_the_gateway(agents), *_unrouted(plain, gateway)]:
        raise InputError(*problems)
    return Project(agents, gateway, blueprints, load_scenarios(blueprints, agents), document)


def _named_as_the_gateway(agents: Sequence[LoadedBlueprint]) -> list[Problem]:
    return [
        agent.document.problem(("id",), f"{GATEWAY} is what the LiteLLM proxy is called", "choose another id")
        for agent in agents
        if agent.blueprint.id == GATEWAY
    ]


def _too_many_tags(agents: Sequence[LoadedBlueprint], environment: Environment) -> list[Problem]:
    # The stack's own tags, which CloudFormation puts on the runtime too, are part of the 50 that AWS takes.
    room = _MOST_TAGS - _OWN_TAGS - len(environment.tags)
    return [
        agent.document.problem(
            ("tags",),
            f"in {environment.name}: {len(agent.blueprint.tags)} tags, and the environment's leave room for {room}",
            "remove some",
        )
        for agent in agents
        if len(agent.blueprint.tags) > room
    ]


def _unrouted(agents: Sequence[LoadedBlueprint], gateway: GatewaySettings | None) -> Sequence[Problem]:
    if gateway is None:
        return _without_gateway(agents)
    return [*find_unserved(agents, gateway), *find_uncounted(agents, gateway)]


def _without_gateway(agents: Sequence[LoadedBlueprint]) -> list[Problem]:
    return [
        agent.document.problem(
            ("model", "base_url"),
            "there is no gateway: the blueprints folder has no gateway.yaml",
            "add gateway.yaml, or write the address of another endpoint",
        )
        for agent in agents
        if agent.blueprint.uses_gateway
    ] + [
        agent.document.problem(
            ("gate", "judge_model"),
            "there is no gateway whose model could judge: the blueprints folder has no gateway.yaml",
            "add gateway.yaml, or remove judge_model and judge",
        )
        for agent in agents
        if agent.blueprint.gate.judge_model
    ]


def _without_simulator(
    agents: Sequence[LoadedBlueprint], gateway: GatewaySettings | None, environment: Environment
) -> list[Problem]:
    if gateway:
        return []
    return [
        agent.document.problem(
            ("model",),
            f"in {environment.name} no provider is called, and there is no gateway to simulate this model: the "
            "blueprints folder has no gateway.yaml",
            "add gateway.yaml; or write gateway: {simulate_endpoints: false} in environments.yaml, and the provider "
            "itself is called",
        )
        for agent in agents
        if is_simulated(agent.blueprint, environment)
    ]
