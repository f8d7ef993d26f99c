"""`strandline deploy`: validates, asks, runs `cdk deploy`; secrets first, so that nothing starts without its keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError
from strandline.cdk_cli import run_cdk
from strandline.console import stderr
from strandline.local_cloud import LocalCloud, default_home
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    BlueprintsOption,
    EnvironmentOption,
    EnvironmentsOption,
    Target,
    find_environment,
    open_target,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def deploy(
    env: EnvironmentOption,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change without asking.")] = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
    blueprints: BlueprintsOption = BLUEPRINTS,
) -> None:
    """Deploy all agents that an environment allows, with their secrets and their gateway."""
    target = prepare(env, environments)
    deployment = Deployment(target, environments=environments, blueprints=blueprints)
    deployment.run(confirm=None if yes or target.is_local else _ask)


def prepare(env: str, environments: Path) -> Target:
    """Opens an environment for a deployment; the local cloud is started if it does not run.

    Args:
        env: Name of the environment.
        environments: `environments.yaml`.

    Returns:
        The target.

    Raises:
        InputError: There is no such environment.
        EnvironmentFault: The local cloud cannot start, or there are no credentials.
    """
    if find_environment(env, environments).name == "local":
        cloud = LocalCloud()
        if not cloud.running():
            with stderr.status("Starting the local cloud") as status:
                cloud.up(progress=status.update)
    return open_target(env, environments)


class Deployment:
    """One deployment of one environment.

    Args:
        target: The environment.
        environments: `environments.yaml`.
        blueprints: The blueprints folder.

    Attributes:
        assembly: Folder of what `synthesise` writes.
    """

    def __init__(self, target: Target, *, environments: Path, blueprints: Path) -> None:
        self._target = target
        self._stage = target.environment.stage_id
        self._environments = environments.resolve()
        self._blueprints = blueprints.resolve()
        self._home = default_home()
        self.assembly = self._home / "assemblies" / target.environment.name

    def run(
        self, *, confirm: Callable[[str], bool] | None = None, before_agents: Callable[[], None] = lambda: None
    ) -> None:
        """Deploys.

        Args:
            confirm: Asks whether to go on after the difference was shown; `None` asks nothing.
            before_agents: Called when the secrets exist, before they must have values.

        Raises:
            InputError: A blueprint is wrong, or secrets have no value yet; says which and how to set them.
            DeploymentError: CloudFormation refuses.
        """
        from strandline.execution_roles import remove_unused_roles

        users = self._validate()
        self.synthesise()
        if self._target.is_local:
            self._bootstrap()
        if confirm is not None:
            self._cdk(["diff", f"{self._stage}/*"], "Comparing with what is deployed", show=True)
            if not confirm(f"Deploy this to {self._target.environment.name} ({self._target.environment.account})?"):
                raise typer.Abort
        self._cdk(["deploy", f"{self._stage}/Secrets", "--exclusively", *_APPROVED], "Deploying the secrets")
        before_agents()
        self._require_values(users)
        self._cdk(["deploy", f"{self._stage}/*", "--concurrency", "4", *_APPROVED], f"Deploying {self._stage}")
        remove_unused_roles(self._target)

    def synthesise(self) -> None:
        """Synthesises the environment once; what is compared, asked about and deployed is the same assembly.

        Raises:
            DeploymentError: The app or a cdk-nag rule refuses.
        """
        inputs = ["-c", f"environment={self._target.environment.name}"]
        inputs += ["-c", f"environments={self._environments}", "-c", f"blueprints={self._blueprints}"]
        arguments = ["synth", f"{self._stage}/*", "--quiet", "--output", str(self.assembly), *inputs]
        self._run(arguments, f"Synthesising {self._stage}")

    def _validate(self) -> dict[str, list[str]]:
        from stacks.project import load_project

        return load_project(self._blueprints).secret_users(self._target.environment)

    def _bootstrap(self) -> None:
        environment = self._target.environment
        client = self._target.client("cloudformation")
        try:
            client.describe_stacks(StackName="CDKToolkit")
        except client.exceptions.ClientError:
            place = f"aws://{environment.account}/{environment.region}"
            self._cdk(["bootstrap", place], "Bootstrapping the local account")

    def _require_values(self, users: dict[str, list[str]]) -> None:
        from strandline.secret_inventory import take_secrets

        reports = take_secrets(self._target, users)
        missing = [report.variable for report in reports if report.users and report.state != "set"]
        if missing:
            name = self._target.environment.name
            commands = "\n".join(f"  strandline secrets set {variable} --env {name}" for variable in missing)
            raise InputError(
                f"{len(missing)} of {name}'s secrets have no value yet, so no agent and no gateway was touched. "
                f"Set them and deploy again:\n{commands}"
            )

    def _cdk(self, arguments: list[str], title: str, *, show: bool = False) -> None:
        self._run([*arguments, "--app", str(self.assembly)], title, show=show)

    def _run(self, arguments: list[str], title: str, *, show: bool = False) -> None:
        log = self._home / "logs" / f"cdk-{arguments[0]}-{self._target.environment.name}.log"
        run_cdk(arguments, self._target.variables, title=title, log=log)
        if show:
            stderr.print(log.read_text(), markup=False, highlight=False)


# The person was asked about the difference already, or does not want to be.
_APPROVED = ("--require-approval", "never")


def _ask(question: str) -> bool:
    if not os.isatty(0):
        raise InputError("There is no terminal to ask on: say --yes to deploy without being asked.")
    return typer.confirm(question)
