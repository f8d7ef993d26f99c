"""From the user's files to the CDK app: reads them, says what was left out, and makes the stages."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk

from agent_runtime.errors import InputError
from agent_runtime.loader import load_blueprints
from gateway.compile import check_agents
from gateway.settings import load_gateway
from stacks import nag
from stacks.environments import load_environments
from stacks.stage import EnvironmentStage, Project

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.environments import Environment


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the user's files are.

    Attributes:
        environments: `environments.yaml`.
        blueprints: The folder of the blueprints.
        home: The project's `.strandline` folder.
    """

    environments: Path
    blueprints: Path
    home: Path


def load_project(inputs: Inputs) -> Project:
    """Reads blueprints and `gateway.yaml`.

    Args:
        inputs: Where they are.

    Returns:
        The project.

    Raises:
        InputError: Something in them is wrong; carries every problem of every file.
    """
    agents = load_blueprints(inputs.blueprints)
    gateway_file = inputs.blueprints / "gateway.yaml"
    gateway = load_gateway(gateway_file) if gateway_file.exists() else None
    problems = check_agents(agents, gateway)
    if problems:
        raise InputError(*problems)
    return Project(agents=agents, gateway=gateway, home=inputs.home)


def build_app(app: cdk.App, inputs: Inputs, *, only: str | None = None) -> cdk.App:
    """Adds a stage for each environment.

    Args:
        app: The CDK app.
        inputs: Where the user's files are.
        only: Name of the one environment to synthesise; all of them where none is given.

    Returns:
        The app.

    Raises:
        InputError: Something in the files is wrong, or no environment has that name.
    """
    environments = load_environments(inputs.environments)
    if only is not None and only not in environments:
        raise InputError(f"{inputs.environments} has no environment {only!r}; it has {', '.join(environments)}.")
    project = load_project(inputs)
    nag.check(app)
    for name, environment in environments.items():
        if only in (None, name):
            _say_what_is_left_out(project, environment)
            EnvironmentStage(app, environment=environment, project=project)
    return app


def _say_what_is_left_out(project: Project, environment: Environment) -> None:
    inside = {agent.blueprint.id for agent in project.agents_of(environment)}
    outside = [agent.blueprint.id for agent in project.agents if agent.blueprint.id not in inside]
    if outside:
        print(
            f"{environment.stage_id} leaves out {', '.join(outside)}: "
            f"execution_modes.{environment.execution_mode} is false in the blueprint.",
            file=sys.stderr,
        )
