"""The project at hand and its environments, as every command names them: files, AWS clients, the names of stacks."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.aws_errors import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.environments import Environment

EnvironmentOption = Annotated[
    str, typer.Option("--env", "-e", help="Environment: local, simulation, staging or production.")
]
AgentArgument = Annotated[str, typer.Argument(help="Id of the agent.")]
EnvironmentsOption = Annotated[Path, typer.Option("--environments", help="The environments' file.")]
BlueprintsOption = Annotated[Path, typer.Option("--blueprints", help="The blueprints' folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
GatewayUrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Address of a tunnel to the gateway, where its own cannot be reached from here."),
]

ENVIRONMENTS = Path("environments.yaml")
BLUEPRINTS = Path("blueprints")
CALLS_AT_ONCE = 8
"""How many questions AWS is asked at a time."""
# Clients may be shared by threads, and sessions, which make them, may not ("Multithreading", Boto3 documentation).
_MAKING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Target:
    """One environment of the project.

    Attributes:
        environment: What `environments.yaml` says of it.
        variables: Environment variables for AWS clients and for the CDK CLI.
    """

    environment: Environment
    variables: Mapping[str, str]
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def is_local(self) -> bool:
        """Whether the AWS of this environment is the local cloud."""
        return self.environment.is_emulated

    def client(self, service: str) -> Any:
        """Gives the boto3 client of a service: one for all, because threads may share it and making one takes long.

        Args:
            service: boto3's name of the service.

        Returns:
            The client.
        """
        with _MAKING:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _make_client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        keys = {
            "aws_access_key_id": self.variables.get("AWS_ACCESS_KEY_ID"),
            "aws_secret_access_key": self.variables.get("AWS_SECRET_ACCESS_KEY"),
            "endpoint_url": self.variables.get("AWS_ENDPOINT_URL"),
        }
        profile = self.environment.profile
        return (boto3.Session(profile_name=profile) if profile else boto3).client(
            service,
            region_name=self.environment.region,
            config=Config(read_timeout=900, retries={"max_attempts": 3, "mode": "standard"}),
            **(keys if self.is_local else {}),
        )

    @property
    def cdk_options(self) -> list[str]:
        """What the CDK CLI is told so that it takes the same credentials."""
        return ["--profile", self.environment.profile] if self.environment.profile else []

    def stack_name(self, name: str) -> str:
        """Names a stack of the environment as CloudFormation knows it."""
        return f"{self.environment.stage_id}-{name}"

    def agent_stack_name(self, agent: str) -> str:
        """Names an agent's stack."""
        from stacks.names import agent_stack_id

        return self.stack_name(agent_stack_id(agent))


def find_environment(name: str, environments: Path) -> Environment:
    """Reads one environment.

    Args:
        name: Its name.
        environments: `environments.yaml`.

    Returns:
        The environment.

    Raises:
        InputError: The file is wrong, or has no such environment.
    """
    from stacks.environments import load_environments

    known = load_environments(environments)
    if name not in known:
        raise InputError(f"{environments} has no environment {name!r}: it has {', '.join(known)}.")
    return known[name]


def open_target(name: str, environments: Path = ENVIRONMENTS) -> Target:
    """Opens an environment for AWS calls.

    Args:
        name: Its name.
        environments: `environments.yaml`.

    Returns:
        The target, whose credentials belong to the environment's account.

    Raises:
        InputError: There is no such environment.
        EnvironmentFault: The local cloud does not run, or the credentials are another account's.
    """
    environment = find_environment(name, environments)
    if environment.is_emulated:
        return _open_local(environment)
    target = Target(environment, dict(os.environ))
    _check_account(target)
    return target


def open_targets(name: str | None, environments: Path = ENVIRONMENTS) -> tuple[list[Target], dict[str, str]]:
    """Opens one environment, or all that can be asked with the credentials at hand.

    Args:
        name: The one; `None` for all.
        environments: `environments.yaml`.

    Returns:
        The targets, and of environments that cannot be asked the reason by name.

    Raises:
        InputError: The file is wrong, or has no such environment.
        EnvironmentFault: The one that is named cannot be asked.
    """
    from stacks.environments import load_environments

    if name is not None:
        return [open_target(name, environments)], {}
    targets: list[Target] = []
    silent: dict[str, str] = {}
    for known in load_environments(environments):
        try:
            targets.append(open_target(known, environments))
        except EnvironmentFault as fault:
            silent[known] = str(fault)
    return targets, silent


def _open_local(environment: Environment) -> Target:
    from strandline.local_cloud import LocalCloud

    cloud = LocalCloud()
    # A profile of the real AWS would win over the local keys, in boto3 and in the CDK CLI.
    for name in cloud.CONFLICTING_VARIABLES:
        os.environ.pop(name, None)
    return Target(environment, cloud.environment(environment.account))


def _check_account(target: Target) -> None:
    mend = f"sign in (`aws sso login`), or set AWS_PROFILE or environments.{target.environment.name}.profile"
    with told("AWS", f"AWS takes no credentials for {target.environment.name}", hint=f": {mend}"):
        account = target.client("sts").get_caller_identity()["Account"]
    if account != target.environment.account:
        raise EnvironmentFault(
            f"The credentials at hand are account {account}'s, and {target.environment.name} is in account "
            f"{target.environment.account}: {mend}."
        )
