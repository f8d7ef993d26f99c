"""LiteLLM's configuration of an environment: what the user's files compile to, and what its tasks run with."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.gateway_service import find_gateway
from strandline.s3_objects import read_object

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.environments import Environment
    from strandline.targets import Target

# The bundle's address stands in the container's command.
_BUNDLE = re.compile(r"s3://([a-z0-9.-]+)/((?:[^/\s]+/)*([0-9a-f]{64})\.zip)")


def compiled_config(environment: Environment, blueprints: Path, environments: Path) -> str:
    """Compiles what an environment deploys, as synth does: its release lock's gateway, or the user's files.

    Args:
        environment: The environment.
        blueprints: The blueprints folder.
        environments: `environments.yaml`, beside which the releases are.

    Returns:
        The text of LiteLLM's `config.yaml`; it holds names of variables, and no secret.

    Raises:
        InputError: Something in the files or of the release is wrong, or there is no gateway.
    """
    from gateway.compile import compile_config
    from stacks.gateway_target import gateway_target
    from stacks.releases.project import project_in

    project = project_in(environment, blueprints, environments)
    if project.gateway is None:
        raise InputError(f"{environment.name} has no gateway: {blueprints} has no gateway.yaml, or its release none.")
    return compile_config(project.gateway, gateway_target(environment, project.agents_of(environment)))


def deployed_config(target: Target) -> str:
    """Fetches the configuration of the bundle that the gateway's tasks run with.

    Args:
        target: The environment.

    Returns:
        The text of LiteLLM's `config.yaml`.

    Raises:
        InputError: There is no gateway.
        EnvironmentFault: AWS refuses, or the bundle is not the one that its name promises.
    """
    from stacks.gateway_bundle import CONFIG

    bucket, key, sha256 = _find_bundle(target)
    content = read_object(target.client("s3"), bucket, key)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise EnvironmentFault(f"s3://{bucket}/{key} is not what its name promises: its bytes have another hash.")
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        return bundle.read(CONFIG).decode()


def _find_bundle(target: Target) -> tuple[str, str, str]:
    client = target.client("ecs")
    gateway = find_gateway(target)
    definition = gateway.describe(client).get("taskDefinition") if gateway else None
    name = target.environment.name
    if not definition:
        raise InputError(f"No gateway is deployed in {name}: `strandline deploy --env {name}`.")
    answer = client.describe_task_definition(taskDefinition=definition)
    commands = [
        word
        for container in answer["taskDefinition"]["containerDefinitions"]
        for word in (*container.get("entryPoint", ()), *container.get("command", ()))
    ]
    found = next(filter(None, map(_BUNDLE.fullmatch, commands)), None)
    if found is None:
        raise EnvironmentFault(f"The tasks of {name}'s gateway name no bundle: another version deployed them.")
    return found[1], found[2], found[3]
