"""One environment: which agents are in it, and the stacks that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from agent_runtime.bundle import build_bundle
from gateway.scenarios import compile_scenarios
from stacks.agent_stack import AgentStack, Payload, Surroundings
from stacks.artefacts import Artefacts
from stacks.check_plan import judge_model_in
from stacks.checks_stack import ChecksStack
from stacks.constructs.judge import JudgePlace
from stacks.data_stack import DataStack
from stacks.gateway_stack import GatewayStack
from stacks.gateway_target import gateway_target
from stacks.names import CHECKS_STACK, agent_stack_id
from stacks.network_needs import find_network_needs
from stacks.network_stack import NetworkStack
from stacks.notices import find_notices_there
from stacks.packaging import AGENTCORE, HOST
from stacks.releases.project import ReleasedBlueprint
from stacks.releases_stack import ReleasesStack
from stacks.secrets_stack import SecretsStack
from stacks.simulation import asks_gateway, network_mode_in

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
        project: What it deploys: the working tree, or what its lock names.
        tree: The working tree, whose secrets exist before its agents are promoted.
        home: The project's `.strandline` folder, which keeps built artefacts.
    """

    def __init__(
        self, scope: Construct, *, environment: Environment, project: Project, tree: Project, home: Path
    ) -> None:
        super().__init__(
            scope, environment.stage_id, env=cdk.Environment(account=environment.account, region=environment.region)
        )
        self._environment = environment
        self._project = project
        self._artefacts = Artefacts(project.folder, HOST if environment.is_emulated else AGENTCORE, home)
        agents = project.agents_of(environment)
        # Synth asks AWS nothing: a VPC would look up its zones.
        self.node.set_context(
            f"availability-zones:account={environment.account}:region={environment.region}",
            list(environment.availability_zones),
        )
        self._secrets = SecretsStack(
            self,
            "Secrets",
            environment=environment,
            variables={*project.secret_variables(environment), *tree.secret_variables(environment)},
            with_gateway=project.gateway is not None or tree.gateway is not None,
        )
        self._releases = ReleasesStack(self, "Releases", environment=environment) if environment.is_locked else None
        self._network = self._build_network(agents)
        self._gateway = self._build_gateway(agents)
        self._checks = self._build_checks(agents)
        surroundings = Surroundings(
            gate=self._checks.service_token,
            gateway_url=self._gateway.url if self._gateway else None,
            subnet_ids=self._network.agent_subnet_ids if self._network else (),
            security_group_ids=(self._network.agent_security_group_id,) if self._network else (),
            gateway_keys=self._gateway.key_maker if self._gateway else None,
            canaries=self._checks.canaries_token,
        )
        for agent in agents:
            self._build_agent(agent, surroundings)

    def _build_network(self, agents: Sequence[LoadedBlueprint]) -> NetworkStack | None:
        modes = {network_mode_in(agent.blueprint, self._environment) for agent in agents}
        if self._project.gateway is None and "PRIVATE" not in modes:
            return None
        needs = find_network_needs([agent.blueprint for agent in agents], self._environment)
        return NetworkStack(self, "Network", environment=self._environment, needs=needs)

    def _build_gateway(self, agents: Sequence[LoadedBlueprint]) -> GatewayStack | None:
        if self._project.gateway is None or self._network is None:
            return None
        data = self._build_data(self._network)
        gateway = GatewayStack(
            self,
            "Gateway",
            environment=self._environment,
            network=self._network,
            settings=self._project.gateway,
            target=gateway_target(self._environment, agents),
            scenarios=compile_scenarios(self._project.scenarios, agents),
            data=data.data if data else None,
        )
        gateway.add_stack_dependency(self._secrets)
        if data:
            gateway.add_stack_dependency(data)
        return gateway

    def _build_checks(self, agents: Sequence[LoadedBlueprint]) -> ChecksStack:
        is_judged = any(judge_model_in(agent.blueprint, self._environment) for agent in agents)
        if not is_judged or self._gateway is None or self._network is None:
            return ChecksStack(self, CHECKS_STACK, environment=self._environment)
        place = JudgePlace(self._gateway.url, self._network.agent_subnet_ids, self._network.agent_security_group_id)
        checks = ChecksStack(self, CHECKS_STACK, environment=self._environment, judge=place)
        checks.add_stack_dependency(self._gateway)
        return checks

    def _build_data(self, network: NetworkStack) -> DataStack | None:
        hosting = self._environment.gateway
        if not hosting.is_managed and hosting.redis is None:
            return None
        return DataStack(self, "Data", environment=self._environment, network=network)

    def _build_agent(self, agent: LoadedBlueprint, surroundings: Surroundings) -> None:
        blueprint = agent.blueprint
        stack = AgentStack(
            self,
            agent_stack_id(blueprint.id),
            environment=self._environment,
            agent=agent,
            payload=self._payload_of(agent),
            surroundings=surroundings,
        )
        stack.add_stack_dependency(self._secrets)
        if self._releases:
            stack.add_stack_dependency(self._releases)
        stack.add_stack_dependency(self._checks)
        for notice in find_notices_there([agent], self._environment, self._project.gateway):
            # No warning: nothing is wrong, and `cdk synth --strict` would fail for it.
            cdk.Annotations.of(stack).add_info(str(notice))
        # A dependency of its own: the values come by names of exports, in which CDK sees none.
        if network_mode_in(blueprint, self._environment) == "PRIVATE" and self._network:
            through = self._gateway if asks_gateway(blueprint, self._environment) else None
            stack.add_stack_dependency(through or self._network)

    def _payload_of(self, agent: LoadedBlueprint) -> Payload:
        if isinstance(agent, ReleasedBlueprint):
            return Payload(agent.bundle, agent.artefact)
        return Payload(build_bundle(agent), self._artefacts.of(agent.blueprint))
