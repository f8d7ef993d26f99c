"""Runs an agent's checks alone, by the code that a deployment runs them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from stacks.check_plan import check_plan
from stacks.custom_resources.check_run import CheckRun, Endpoint
from stacks.custom_resources.judging import judge_by
from stacks.names import JUDGE_OUTPUT
from stacks.releases.project import project_in
from strandline.checks.results import checks_outputs
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
    plan = check_plan(agent, target.environment)
    function = checks_outputs(target).get(JUDGE_OUTPUT) if plan["judge_model"] else None
    judge = judge_by(target.client("lambda"), function, plan["judge_model"]) if function else None
    return CheckRun(target.client("bedrock-agentcore"), asked, plan, judge=judge).run()


def find_agent(target: Target, agent_id: str, blueprints: Path, environments: Path) -> LoadedBlueprint:
    """Finds an agent in the project.

    Args:
        target: The environment.
        agent_id: Its id.
        blueprints: The blueprints folder.
        environments: `environments.yaml`, beside which the release locks are.

    Returns:
        The agent as it is in the environment.

    Raises:
        InputError: There is none, or it may not run there.
    """
    project = project_in(target.environment, blueprints, environments)
    agents = {agent.blueprint.id: agent for agent in project.agents_of(target.environment)}
    if agent_id not in agents:
        name = target.environment.name
        raise InputError(f"{name} has no agent {agent_id!r}: it has {', '.join(sorted(agents)) or 'none'}.")
    return agents[agent_id]
