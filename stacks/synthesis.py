"""From the project to the CDK app: a stage for each environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import aws_cdk as cdk

from agent_runtime.errors import InputError
from stacks import nag
from stacks.environments import load_environments
from stacks.project import Inputs, Project, load_project
from stacks.releases.project import released_project
from stacks.releases.store import ReleaseFolder
from stacks.stage import EnvironmentStage
from stacks.user_code import find_import_faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.environments import Environment


def create_app(*, outdir: str | None = None, context: Mapping[str, object] | None = None) -> cdk.App:
    """Makes an app that writes only what somebody reads.

    Call stacks from inside jsii and a tree of all constructs are left out. Templates are held to CloudFormation's
    schemas only when asked (`nag.check`): the WebAssembly engine for it costs 3 s and 300 MB at every synth.

    Args:
        outdir: Folder of the cloud assembly; the CDK CLI names one where none is given.
        context: Settings of `cdk.json`; the CDK CLI hands them over where none are given.

    Returns:
        The app.
    """
    return cdk.App(
        outdir=outdir,
        stack_traces=False,
        tree_metadata=False,
        builtin_cloud_formation_validation=False,
        context={"aws:cdk:disable-creation-stack-traces": True, **(context or {})},
    )


def build_app(app: cdk.App, inputs: Inputs, *, only: str | None = None, schemas: bool = False) -> cdk.App:
    """Adds a stage for each environment.

    Args:
        app: The CDK app.
        inputs: Where the user's files are.
        only: Name of the one environment to synthesise; all of them where none is given.
        schemas: Whether every template is held to CloudFormation's schemas.

    Returns:
        The app.

    Raises:
        InputError: Something in the files is wrong, or no environment has that name.
    """
    environments = load_environments(inputs.environments)
    if only is not None and only not in environments:
        raise InputError(f"{inputs.environments} has no environment {only!r}; it has {', '.join(environments)}.")
    project = load_project(inputs.blueprints)
    nag.check(app, schemas=schemas)
    chosen = [environment for name, environment in environments.items() if only in (None, name)]
    # The code of what was promoted was looked at when it was built.
    built = [environment for environment in chosen if not environment.is_locked]
    agents = [agent for environment in built for agent in project.agents_of(environment)]
    if problems := find_import_faults(agents, inputs.blueprints, inputs.home):
        raise InputError(*problems)
    releases = ReleaseFolder(inputs.releases) if inputs.releases else ReleaseFolder.beside(inputs.environments)
    for environment in chosen:
        deployed = released_project(project, environment, releases)
        _say_what_is_left_out(project, deployed, environment, releases)
        EnvironmentStage(app, environment=environment, project=deployed, tree=project, home=inputs.home)
    return app


def _say_what_is_left_out(tree: Project, deployed: Project, environment: Environment, releases: ReleaseFolder) -> None:
    allowed = {agent.blueprint.id for agent in tree.agents if agent.blueprint.allows(environment.execution_mode)}
    outside = [agent.blueprint.id for agent in tree.agents if agent.blueprint.id not in allowed]
    if outside:
        print(
            f"{environment.stage_id} leaves out {', '.join(outside)}: "
            f"execution_modes.{environment.execution_mode} is false in the blueprint.",
            file=sys.stderr,
        )
    if unreleased := sorted(allowed - {agent.blueprint.id for agent in deployed.agents}):
        print(
            f"{environment.stage_id} leaves out {', '.join(unreleased)}: {releases.lock_file(environment.name)} names "
            f"no release of it; `strandline promote` does.",
            file=sys.stderr,
        )
