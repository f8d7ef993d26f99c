"""Runs an agent's checks alone, by the code that a deployment runs them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from stacks.check_plan import check_plan
from stacks.custom_resources.check_run import CheckRun, Endpoint
from stacks.project import load_project
from strandline.invocation import find_runtime

if TYPE_CHECKING:
    from pathlib import Path

    from agent_runtime.loader import LoadedBlueprint
    from stacks.custom_resources.check_run import Report
    from strandline.targets import Target


def run_checks(target: Target, agent: LoadedBlueprint, endpoint: str) -> Report:
    """Asks a deployed agent what its checks ask.

    Args:
        target: The environment.
        agent: The agent as it is there, with its checks.
        endpoint: Name of the endpoint that is asked.

    Returns:
        How it went.

    Raises:
        InputError: The agent is not deployed there, or a check's schema cannot be held.
    """
    runtime = find_runtime(target, agent.blueprint.id)
    asked = Endpoint(agent.blueprint.id, runtime.arn, endpoint, runtime.protocol)
    return CheckRun(target.client("bedrock-agentcore"), asked, check_plan(agent)).run()


def find_agent(target: Target, agent_id: str, blueprints: Path) -> LoadedBlueprint:
    """Finds an agent in the project.

    Args:
        target: The environment.
        agent_id: Its id.
        blueprints: The blueprints folder.

    Returns:
        The agent as it is in the environment.

    Raises:
        InputError: There is none, or it may not run there.
    """
    agents = {agent.blueprint.id: agent for agent in load_project(blueprints).agents_of(target.environment)}
    if agent_id not in agents:
        name = target.environment.name
        raise InputError(f"{name} has no agent {agent_id!r}: it has {', '.join(sorted(agents)) or 'none'}.")
    return agents[agent_id]
