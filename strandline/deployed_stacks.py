"""The stacks of an environment as CloudFormation has them: their state, what they tell, what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from strandline.aws_errors import code_of, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from botocore.exceptions import ClientError

    from strandline.targets import Target

# "DescribeStacks" and "ListStackResources", AWS CloudFormation: of a stack that does not exist.
_NO_STACK = "ValidationError"


class Clients(Protocol):
    """What makes boto3 clients of one account and Region."""

    def client(self, service: str) -> Any:
        """Makes the client of a service."""
        ...


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """One stack.

    Attributes:
        name: Its name.
        status: CloudFormation's status.
        outputs: What it tells, by the names of its outputs.
    """

    name: str
    status: str
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StackResource:
    """One resource of a stack.

    Attributes:
        logical_id: Its name in the template.
        kind: Its CloudFormation type.
        physical_id: Its name in AWS; empty where it was never made.
    """

    logical_id: str
    kind: str
    physical_id: str


def list_stacks(target: Target) -> dict[str, DeployedStack]:
    """Lists an environment's stacks ("DescribeStacks").

    Args:
        target: The environment.

    Returns:
        The stacks, by name.

    Raises:
        EnvironmentFault: CloudFormation refuses, or cannot be reached.
    """
    prefix = target.stack_name("")
    with told("CloudFormation", f"CloudFormation does not tell what {target.environment.name} has"):
        pages = target.client("cloudformation").get_paginator("describe_stacks").paginate()
        found = [_read(one) for page in pages for one in page["Stacks"]]
    return {stack.name: stack for stack in found if stack.name.startswith(prefix)}


def stack_outputs(target: Clients, stack: str) -> Mapping[str, str]:
    """Gives what a stack tells.

    Args:
        target: The environment, or whatever else makes its clients.
        stack: Name of the stack.

    Returns:
        The values by the names of the outputs; empty where the stack is not deployed.

    Raises:
        EnvironmentFault: CloudFormation refuses, or cannot be reached.
    """
    client = target.client("cloudformation")
    with told("CloudFormation", f"CloudFormation does not tell of the stack {stack}"):
        try:
            (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        except client.exceptions.ClientError as error:
            if not is_no_stack(error):
                raise
            return {}
    return _read(found).outputs


def stack_resources(target: Target, stack: str) -> list[StackResource]:
    """Lists what a stack holds ("ListStackResources", which tells of more than a hundred too).

    Args:
        target: The environment.
        stack: Name of the stack.

    Returns:
        Its resources; none where the stack is not deployed.

    Raises:
        EnvironmentFault: CloudFormation refuses, or cannot be reached.
    """
    client = target.client("cloudformation")
    with told("CloudFormation", f"CloudFormation does not tell what the stack {stack} holds"):
        try:
            pages = list(client.get_paginator("list_stack_resources").paginate(StackName=stack))
        except client.exceptions.ClientError as error:
            if not is_no_stack(error):
                raise
            return []
    return [
        StackResource(one["LogicalResourceId"], one["ResourceType"], one.get("PhysicalResourceId", ""))
        for page in pages
        for one in page["StackResourceSummaries"]
    ]


def is_no_stack(error: ClientError) -> bool:
    """Whether a refusal says that there is no such stack; throttling and a right that is missing do not."""
    return code_of(error) == _NO_STACK


def ids_by_kind(resources: Iterable[StackResource]) -> dict[str, str]:
    """Gives the physical ids by the CloudFormation types, of resources of which a stack has one of a kind."""
    return {one.kind: one.physical_id for one in resources if one.physical_id}


def _read(stack: Mapping[str, Any]) -> DeployedStack:
    outputs = {one["OutputKey"]: str(one["OutputValue"]) for one in stack.get("Outputs", ())}
    return DeployedStack(stack["StackName"], stack["StackStatus"], outputs)
