"""`strandline secrets`: values go from standard input or an unseen prompt to Secrets Manager, and nowhere else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.console import stderr
from strandline.targets import ENVIRONMENTS, EnvironmentOption, EnvironmentsOption, Target, open_target

app = typer.Typer(no_args_is_help=True, help="The environment's secrets.")

_PLACEHOLDERS = {"changeme", "change-me", "todo", "secret", "your-api-key", "xxx", "none", "null"}
# Secrets Manager's quota for a secret's value.
_MAXIMUM_BYTES = 65_536


@app.callback()
def group() -> None:
    """The environment's secrets."""


@app.command("set", context_settings={"allow_extra_args": True})
def set_value(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the variable, such as OPENAI_API_KEY.")],
    env: EnvironmentOption,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Set a secret's value, read from standard input or from a prompt that shows nothing."""
    if context.args:
        raise InputError(
            "A value on the command line stays in the shell's history and shows in the list of processes: "
            "pipe it in, or type it at the prompt."
        )
    target = open_target(env, environments)
    value = check_value(name, _read_value(name))
    put_value(target, name, value)
    stderr.print(f"[green]set:[/] {name} in {env}")


def check_value(name: str, value: str) -> str:
    """Trims a value and refuses what cannot be a key.

    Args:
        name: Name of the variable.
        value: What the person gave.

    Returns:
        The value to store.

    Raises:
        InputError: The value is empty, a placeholder, quoted, or holds what no HTTP header can; it is not quoted in
            the message.
    """
    trimmed = value.strip()
    if not trimmed:
        raise InputError(f"The value of {name} is empty: nothing was changed.")
    if trimmed.lower() in _PLACEHOLDERS:
        raise InputError(f"The value of {name} is a placeholder: nothing was changed.")
    if trimmed[0] == trimmed[-1] and trimmed[0] in "'\"":
        raise InputError(f"The value of {name} stands in quotes, which would become part of it: leave them out.")
    if any(not " " <= character <= "~" for character in trimmed):
        raise InputError(
            f"The value of {name} has a line break or a character outside ASCII inside: nothing was changed."
        )
    if len(trimmed) > _MAXIMUM_BYTES:
        raise InputError(f"The value of {name} is longer than Secrets Manager's {_MAXIMUM_BYTES} bytes.")
    return trimmed


def put_value(target: Target, name: str, value: str) -> None:
    """Writes a new version of a secret.

    Args:
        target: The environment.
        name: Name of the variable.
        value: The checked value.

    Raises:
        InputError: The environment has no such secret.
        EnvironmentFault: Secrets Manager refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from stacks.names import secret_name

    secret = secret_name(target.environment, name)
    try:
        target.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=value)
    except ClientError as error:
        code = error.response["Error"].get("Code", "unknown")
        if code == "ResourceNotFoundException":
            raise InputError(
                f"{target.environment.name} has no secret {secret}. Does a blueprint name {name}? "
                f"Secrets are created by `cdk deploy '{target.environment.stage_id}/Secrets'`."
            ) from None
        raise EnvironmentFault(f"Secrets Manager refuses {secret} ({code}).") from None
    except BotoCoreError as error:
        raise EnvironmentFault(f"Secrets Manager cannot be reached ({type(error).__name__}).") from None


def missing_values(target: Target, variables: list[str]) -> list[str]:
    """Lists the variables whose secrets have no value yet.

    Args:
        target: The environment.
        variables: Names of variables.

    Returns:
        Those without a value, in the same order.
    """
    from stacks.names import secret_name

    client = target.client("secretsmanager")
    missing = []
    for variable in variables:
        try:
            versions = client.describe_secret(SecretId=secret_name(target.environment, variable)).get(
                "VersionIdsToStages", {}
            )
        except client.exceptions.ResourceNotFoundException:
            versions = {}
        if not any("AWSCURRENT" in stages for stages in versions.values()):
            missing.append(variable)
    return missing


def _read_value(name: str) -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"Value of {name} (not shown): ")
    return sys.stdin.read()
