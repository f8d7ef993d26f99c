"""`strandline deploy`: validates, asks, runs `cdk deploy`; secrets first, so that nothing starts without its keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent_runtime.errors import InputError
from strandline.asking import ask
from strandline.cdk_cli import run_cdk
from strandline.console import stderr
from strandline.deployed_stacks import list_stacks
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
    from collections.abc import Callable, Mapping, Sequence

    from strandline.secret_inventory import SecretReport


def deploy(
    env: EnvironmentOption,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change without asking.")] = False,
    environments: EnvironmentsOption = ENVIRONMENTS,
    blueprints: BlueprintsOption = BLUEPRINTS,
) -> None:
    """Deploy all agents that an environment allows, with their secrets and their gateway."""
    target = prepare(env, environments)
    deployment = Deployment(target, environments=environments, blueprints=blueprints)
    deployment.run(confirm=None if yes or target.is_local else ask)


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
    if find_environment(env, environments).is_emulated:
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
        releases: The folder of the release locks, where it is not the one beside `environments.yaml`.
        assembly: Folder for the cloud assembly, where it is not one that stays.

    Attributes:
        assembly: Folder of what `synthesise` writes.
    """

    def __init__(
        self,
        target: Target,
        *,
        environments: Path,
        blueprints: Path,
        releases: Path | None = None,
        assembly: Path | None = None,
    ) -> None:
        from stacks.releases.store import ReleaseFolder

        self._target = target
        self._stage = target.environment.stage_id
        self._environments = environments.resolve()
        self._blueprints = blueprints.resolve()
        self._releases = ReleaseFolder(releases) if releases else ReleaseFolder.beside(self._environments)
        self._home = default_home()
        self.assembly = assembly or self._home / "assemblies" / target.environment.name

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
        users = self.secret_users()
        self.synthesise()
        if confirm is not None:
            self._bootstrap_local()
            self._cdk(["diff", f"{self._stage}/*"], "Comparing with what is deployed", show=True)
            if not confirm(f"Deploy this to {self._target.environment.name} ({self._target.environment.account})?"):
                raise typer.Abort
        self.deploy(users, before_agents)

    def deploy(self, users: Mapping[str, Sequence[str]], before_agents: Callable[[], None]) -> None:
        """Deploys what was synthesised.

        Args:
            users: Who names each secret.
            before_agents: Called when the secrets and the release bucket exist, before secrets must have values.

        Raises:
            InputError: Secrets have no value yet, or a promoted artefact is not where it was put.
            DeploymentError: CloudFormation refuses.
        """
        from strandline.execution_roles import remove_unused_roles

        self._bootstrap_local()
        first = ["Secrets", *(["Releases"] if self._target.environment.is_locked else [])]
        # Where they are there, what else changes in them comes with all the rest, before any agent.
        is_prepared = self._are_there(first) and not self._without_value(users)
        if not is_prepared:
            stacks = [f"{self._stage}/{name}" for name in first]
            self._cdk(["deploy", *stacks, "--exclusively", *_APPROVED], "Deploying the secrets")
        before_agents()
        if not is_prepared:
            self.require_values(users)
        if self._target.environment.is_locked:
            self._require_release()
        self._cdk(["deploy", f"{self._stage}/*", "--concurrency", "4", *_APPROVED], f"Deploying {self._stage}")
        remove_unused_roles(self._target)

    def synthesise(self) -> None:
        """Synthesises the environment once; what is compared, asked about and deployed is the same assembly.

        Raises:
            DeploymentError: The app or a cdk-nag rule refuses.
        """
        inputs = ["-c", f"environment={self._target.environment.name}", "-c", f"releases={self._releases.path}"]
        inputs += ["-c", f"environments={self._environments}", "-c", f"blueprints={self._blueprints}"]
        arguments = ["synth", f"{self._stage}/*", "--quiet", "--output", str(self.assembly), *inputs]
        self._run(arguments, f"Synthesising {self._stage}")

    def secret_users(self) -> dict[str, list[str]]:
        """Who names each secret of what is deployed.

        Raises:
            InputError: A file of the project is wrong, or something of a release is not what was promoted.
        """
        from stacks.project import load_project
        from stacks.releases.project import released_project

        environment = self._target.environment
        return released_project(load_project(self._blueprints), environment, self._releases).secret_users(environment)

    def _require_release(self) -> None:
        """Every artefact of the lock is in the bucket, and the bucket's lock is this one."""
        from stacks.releases.project import PinnedArtefact
        from strandline.releases.bucket import ReleaseBucket

        environment = self._target.environment.name
        lock = self._releases.lock(environment)
        if lock is None:
            return
        bucket = ReleaseBucket(self._target)
        # Agents that need the same packages share an artefact: it is asked for once.
        distinct = {entry.artefact: (name, entry) for name, entry in lock.agents.items()}
        for name, entry in distinct.values():
            if not bucket.holds(PinnedArtefact(entry.artefact, entry.runtime)):
                raise InputError(
                    f"{self._releases.lock_file(environment)}: agents.{name}.artefact is not in s3://{bucket.name}: "
                    f"`strandline promote {name} --from {entry.promoted_from} --to {environment}` brings it there."
                )
        published = bucket.published()
        if published.lock != lock:
            bucket.publish(lock, published)

    def _bootstrap_local(self) -> None:
        if self._target.is_local:
            self._bootstrap()

    def _bootstrap(self) -> None:
        environment = self._target.environment
        client = self._target.client("cloudformation")
        try:
            client.describe_stacks(StackName="CDKToolkit")
        except client.exceptions.ClientError:
            place = f"aws://{environment.account}/{environment.region}"
            self._cdk(["bootstrap", place], "Bootstrapping the local account")

    def require_values(self, users: Mapping[str, Sequence[str]], *, also_new: bool = True) -> None:
        """Makes sure that every secret of what is deployed has a value.

        Args:
            users: Who names each secret.
            also_new: Whether that goes for those too that the deployment has yet to make.

        Raises:
            InputError: Some have none; says which and how to set them.
        """
        missing = self._without_value(users, also_new=also_new)
        if missing:
            name = self._target.environment.name
            commands = "\n".join(f"  {report.mend(name)}" for report in missing)
            raise InputError(
                f"{len(missing)} of {name}'s secrets have no value yet, so no agent and no gateway was touched. "
                f"Set them and run this again:\n{commands}"
            )

    def _without_value(self, users: Mapping[str, Sequence[str]], *, also_new: bool = True) -> list[SecretReport]:
        from strandline.secret_inventory import take_secrets

        fine = ("set",) if also_new else ("set", "missing")
        return [one for one in take_secrets(self._target, users) if one.users and one.state not in fine]

    def _are_there(self, stacks: Sequence[str]) -> bool:
        deployed = list_stacks(self._target)
        found = [deployed.get(self._target.stack_name(name)) for name in stacks]
        return all(stack is not None and stack.status in _THERE for stack in found)

    def _cdk(self, arguments: list[str], title: str, *, show: bool = False) -> None:
        self._run([*arguments, "--app", str(self.assembly)], title, show=show)

    def _run(self, arguments: list[str], title: str, *, show: bool = False) -> None:
        log = self._home / "logs" / f"cdk-{arguments[0]}-{self._target.environment.name}.log"
        run_cdk([*arguments, *self._target.cdk_options], self._target.variables, title=title, log=log)
        if show:
            stderr.print(log.read_text(), markup=False, highlight=False)


# "Stack status codes", AWS CloudFormation: of one whose resources are there, and at which nobody works.
_THERE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
# The person was asked about the difference already, or does not want to be.
_APPROVED = ("--require-approval", "never")
