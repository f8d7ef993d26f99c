"""One environment: which agents are in it, and the stacks that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from stacks.agent_stack import AgentStack, Surroundings
from stacks.gateway_stack import GatewayStack
from stacks.names import agent_stack_id
from stacks.network_stack import NetworkStack
from stacks.packaging import AGENTCORE, HOST, build_code_artefact
from stacks.secrets_stack import SecretsStack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from constructs import Construct

    from agent_runtime.loader import LoadedBlueprint
    from stacks.environments import Environment
    from stacks.project import Project


class EnvironmentStage(cdk.Stage):
    """All stacks of one environment.

    Args:
        scope: The app.
        environment: The environment.
        project: What the user wrote.
        home: The project's `.strandline` folder, which keeps built artefacts.
    """

    def __init__(self, scope: Construct, *, environment: Environment, project: Project, home: Path) -> None:
        super().__init__(
            scope, environment.stage_id, env=cdk.Environment(account=environment.account, region=environment.region)
        )
        self._environment = environment
        self._project = project
        self._home = home
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
            agent_stack_id(agent.blueprint.id),
            environment=self._environment,
            agent=agent,
            artefact=build_code_artefact(agent.blueprint.dependency_set, target, self._home),
            surroundings=surroundings,
        )
        stack.add_stack_dependency(secrets)
