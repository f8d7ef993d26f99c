"""One environment: which agents are in it, and the stacks that they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk

from stacks.agent_stack import AgentStack, Surroundings
from stacks.gateway_stack import GatewayStack
from stacks.network_stack import NetworkStack
from stacks.packaging import AGENTCORE, HOST, build_code_artefact
from stacks.secrets_stack import SecretsStack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from constructs import Construct

    from agent_runtime.loader import LoadedBlueprint
    from gateway.settings import GatewaySettings
    from stacks.environments import Environment


@dataclass(frozen=True, slots=True)
class Project:
    """What the user wrote.

    Attributes:
        agents: All agents of the blueprints folder.
        gateway: `gateway.yaml`, if there is one.
        home: The project's `.strandline` folder.
    """

    agents: Sequence[LoadedBlueprint]
    gateway: GatewaySettings | None
    home: Path

    def agents_of(self, environment: Environment) -> list[LoadedBlueprint]:
        """The agents whose blueprints allow the environment's execution mode."""
        return [agent for agent in self.agents if agent.blueprint.allows(environment.execution_mode)]

    def secret_variables(self, environment: Environment) -> list[str]:
        """The distinct variables whose secrets people set in the environment, sorted."""
        names = {name for agent in self.agents_of(environment) for name in agent.blueprint.secret_names}
        if self.gateway:
            names.update(self.gateway.secret_names)
        return sorted(names)


class EnvironmentStage(cdk.Stage):
    """All stacks of one environment.

    Args:
        scope: The app.
        environment: The environment.
        project: What the user wrote.
    """

    def __init__(self, scope: Construct, *, environment: Environment, project: Project) -> None:
        super().__init__(
            scope, environment.stage_id, env=cdk.Environment(account=environment.account, region=environment.region)
        )
        self._environment = environment
        self._project = project
        agents = project.agents_of(environment)
        # Synth asks AWS nothing: a VPC would look up its zones.
        self.node.set_context(
            f"availability-zones:account={environment.account}:region={environment.region}",
            list(environment.availability_zones),
        )
        secrets = SecretsStack(
            self,
            "Secrets",
            environment=environment,
            variables=project.secret_variables(environment),
            with_gateway=project.gateway is not None,
        )
        surroundings = self._build_surroundings(agents, secrets)
        for agent in agents:
            self._build_agent(agent, surroundings, secrets)

    def _build_surroundings(self, agents: Sequence[LoadedBlueprint], secrets: cdk.Stack) -> Surroundings:
        if self._project.gateway is None and all(agent.blueprint.network_mode == "PUBLIC" for agent in agents):
            return Surroundings(gateway_url=None, subnet_ids=(), security_group_ids=())
        network = NetworkStack(self, "Network", environment=self._environment)
        gateway_url = None
        if self._project.gateway:
            gateway = GatewayStack(
                self, "Gateway", environment=self._environment, network=network, settings=self._project.gateway
            )
            gateway.add_stack_dependency(secrets)
            gateway_url = gateway.url
        return Surroundings(
            gateway_url=gateway_url,
            subnet_ids=network.subnets.subnet_ids,
            security_group_ids=(network.agent_security_group.security_group_id,),
        )

    def _build_agent(self, agent: LoadedBlueprint, surroundings: Surroundings, secrets: cdk.Stack) -> None:
        target = HOST if self._environment.name == "local" else AGENTCORE
        stack = AgentStack(
            self,
            f"Agent-{agent.blueprint.id.replace('_', '-')}",
            environment=self._environment,
            agent=agent,
            artefact=build_code_artefact(agent.blueprint.dependency_set, target, self._project.home),
            surroundings=surroundings,
        )
        stack.add_stack_dependency(secrets)
