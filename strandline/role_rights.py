"""Whether an agent's role, which is that of its newest version, still reads what another version needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.bundle import read_bundle
from agent_runtime.errors import InputError
from stacks.names import secret_arn
from stacks.simulation import secret_names_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strandline.endpoints import Version
    from strandline.targets import Target


def require_secrets(target: Target, agent: str, version: Version) -> None:
    """Makes sure that a version would find its secrets when callers are led to it.

    Args:
        target: The environment.
        agent: Id of the agent.
        version: The version.

    Raises:
        InputError: The role does not read a secret that the version needs; says which.
    """
    missing = sorted(set(_needed(target, version)) - readable_secrets(target, agent))
    if missing:
        name = target.environment.name
        raise InputError(
            f"Version {version.number} of {agent} reads {', '.join(missing)}, which its role in {name} no longer "
            f"reads: restore the blueprint from version control and deploy it: strandline deploy --env {name}"
        )


def readable_secrets(target: Target, agent: str) -> set[str]:
    """Gives the variables whose secrets an agent's role may read.

    Args:
        target: The environment.
        agent: Id of the agent.

    Returns:
        The variables; empty where the agent has no role.
    """
    prefix = secret_arn(target.environment, "")
    return {
        resource.removeprefix(prefix).removesuffix("-??????")
        for resource in _readable(target, agent)
        if resource.startswith(prefix)
    }


def _needed(target: Target, version: Version) -> Iterator[str]:
    if version.bundle_uri is None or version.bundle is None:
        return
    bucket, _, key = version.bundle_uri.removeprefix("s3://").partition("/")
    content = target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    yield from secret_names_in(read_bundle(content, version.bundle).blueprint, target.environment)
    if version.gateway_key:
        yield version.gateway_key


def _readable(target: Target, agent: str) -> Iterator[str]:
    resources = target.client("cloudformation").describe_stack_resources(StackName=target.agent_stack_name(agent))
    iam = target.client("iam")
    for role in resources["StackResources"]:
        if role["ResourceType"] != "AWS::IAM::Role":
            continue
        name = role["PhysicalResourceId"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                if "secretsmanager:GetSecretValue" in _listed(statement.get("Action")):
                    yield from _listed(statement.get("Resource"))


def _listed(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []
