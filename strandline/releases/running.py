"""What an environment runs, read back from AgentCore, and what its stacks deployed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from stacks.names import GATE_TYPE
from strandline.deployed_stacks import list_stacks
from strandline.endpoints import Endpoints
from strandline.invocation import runtime_of
from strandline.targets import CALLS_AT_ONCE

if TYPE_CHECKING:
    from strandline.endpoints import Version
    from strandline.targets import Target


@dataclass(frozen=True, slots=True)
class DeployedRelease:
    """What an agent's stack deployed last.

    Attributes:
        agent: Id of the agent.
        bundle: SHA-256 of its bundle.
        code: SHA-256 of its code artefact.
    """

    agent: str
    bundle: str
    code: str


def release_of(template: Mapping[str, Any]) -> DeployedRelease | None:
    """Reads from a template what its gate let pass.

    Args:
        template: The template of a stack, as deployed.

    Returns:
        The release; nothing where the stack is no agent's.
    """
    gate = next((one["Properties"] for one in template["Resources"].values() if one["Type"] == GATE_TYPE), None)
    return DeployedRelease(gate["Agent"], gate["Bundle"], gate["Code"]) if gate else None


def read_running(target: Target, agents: Iterable[str]) -> dict[str, Version]:
    """Reads back what the endpoints `live` answer with.

    Args:
        target: The environment.
        agents: Ids of the agents to look at.

    Returns:
        What runs, by id; without those that are not deployed, or have no endpoint `live`.

    Raises:
        EnvironmentFault: AWS refuses, or cannot be reached.
    """
    stacks = list_stacks(target)
    deployed = {agent: stacks.get(target.agent_stack_name(agent)) for agent in agents}
    runtimes = {agent: runtime_of(stack.outputs) for agent, stack in deployed.items() if stack}
    reached = {agent: Endpoints(target, runtime) for agent, runtime in runtimes.items() if runtime}
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        found = pool.map(Endpoints.live, reached.values())
        return {agent: version for agent, version in zip(reached, found, strict=True) if version}


def require_deployed(target: Target, running: Version, release: DeployedRelease) -> None:
    """Makes sure that `live` answers with what the agent's stack deployed.

    Args:
        target: The environment.
        running: What runs.
        release: What its stack deployed.

    Raises:
        InputError: It answers with something else; says what differs.
    """
    for part, deployed, runs in (
        ("code artefact", release.code, running.code),
        ("bundle", release.bundle, running.bundle),
    ):
        if deployed != runs:
            raise InputError(
                f"{release.agent} in {target.environment.name} has drifted: its stack deployed the {part} {deployed}, "
                f"and version {running.number}, which `live` answers with, has {runs}: deploy "
                f"{target.environment.name} again, or find out who moved `live`."
            )
