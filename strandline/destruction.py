"""Takes an environment away: which stacks go and in which order, what stays, and what is left to clean up.

By CloudFormation alone: no synth, no secret, no blueprint is needed.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault
from stacks.names import CHECKS_STACK, RECORDS_OUTPUT
from strandline.aws_errors import told
from strandline.checks.results import checks_outputs
from strandline.deployed_stacks import is_no_stack, stack_resources
from strandline.execution_roles import remove_roles
from strandline.releases.changes import read_deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from strandline.targets import Target

# What imports goes before what it imports from; a judge's place is behind the gateway.
_LAST = (CHECKS_STACK, "Gateway", "Data", "Network", "Releases", "Secrets")
_POLL_SECONDS = 1.0
_LONGEST_SECONDS = 3600.0
_KEPT = {
    "Retain": "stays",
    "Snapshot": "goes, and leaves a snapshot",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that outlives its stack.

    Attributes:
        kind: Its CloudFormation type.
        name: Its physical id.
        becomes: What becomes of it.
    """

    kind: str
    name: str
    becomes: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a destruction takes away.

    Attributes:
        steps: Stacks that go, those of a step together.
        kept: What stays.
        notes: What else is to be known.
    """

    steps: tuple[tuple[str, ...], ...]
    kept: tuple[Kept, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON has it."""
        return asdict(self)


def plan_destruction(target: Target) -> Plan:
    """Looks at what is deployed.

    Args:
        target: The environment.

    Returns:
        What would go, and what would stay.
    """
    stacks = read_deployed(target)
    last = [target.stack_name(name) for name in _LAST]
    first = tuple(sorted(stack for stack in stacks if stack not in last))
    steps = tuple(step for step in (first, *((stack,) for stack in last if stack in stacks)) if step)
    kept, kinds = [], set()
    for stack, template in stacks.items():
        resources = template["Resources"]
        ids = {one.logical_id: one.physical_id for one in stack_resources(target, stack)}
        kinds |= {one["Type"] for one in resources.values()}
        kept += [
            Kept(one["Type"], ids.get(name, name), _KEPT[one["DeletionPolicy"]])
            for name, one in resources.items()
            if one.get("DeletionPolicy") in _KEPT
        ]
    notes = []
    if "AWS::EC2::VPC" in kinds:
        notes.append(
            "AgentCore's network interfaces linger in the VPC for about eight hours: the network's stack may refuse to "
            "go until then. Run this again later."
        )
    return Plan(steps, tuple(kept), tuple(notes))


def destroy_environment(target: Target, plan: Plan, progress: Callable[[str], None]) -> list[str]:
    """Takes away what a plan names, step by step.

    Args:
        target: The environment.
        plan: What goes.
        progress: Told what happens.

    Returns:
        Names of the execution roles that went too.

    Raises:
        EnvironmentFault: CloudFormation cannot delete a stack; says which resources are in the way.
    """
    for step in plan.steps:
        if target.stack_name(CHECKS_STACK) in step:
            _empty_records(target, plan)
        mend = f"run it again: strandline destroy --env {target.environment.name}"
        for stack in delete_stacks(target, step, mend):
            progress(f"{stack}: gone")
    return remove_roles(target)


def delete_stacks(target: Target, stacks: Sequence[str], mend: str) -> Iterator[str]:
    """Deletes stacks, all at once.

    Args:
        target: The environment.
        stacks: Their names; none imports from another.
        mend: What to do once it is clear what is in the way.

    Yields:
        The name of each that is gone.

    Raises:
        EnvironmentFault: CloudFormation cannot delete one; says which resources are in the way.
    """
    client = target.client("cloudformation")
    with told("CloudFormation", f"CloudFormation does not delete {', '.join(stacks)}", in_full=True):
        for stack in stacks:
            client.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
            client.delete_stack(StackName=stack)
        for stack in stacks:
            _await(client, stack, mend)
            yield stack


def _await(client: Any, stack: str, mend: str) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        try:
            (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        except client.exceptions.ClientError as error:
            if not is_no_stack(error):
                raise
            return
        if found["StackStatus"] == "DELETE_COMPLETE":
            return
        if found["StackStatus"] == "DELETE_FAILED":
            raise EnvironmentFault(
                f"{stack} cannot be deleted: {found.get('StackStatusReason', 'CloudFormation does not say why')}. "
                f"Clear what is in the way and {mend}"
            )
        time.sleep(_POLL_SECONDS)
    raise EnvironmentFault(f"{stack} is not gone after {_LONGEST_SECONDS / 60:.0f} minutes: look at it again.")


def _empty_records(target: Target, plan: Plan) -> None:
    """CloudFormation deletes no bucket with something in it; one that stays is left as it is."""
    bucket = checks_outputs(target).get(RECORDS_OUTPUT)
    if bucket is None or bucket in {one.name for one in plan.kept}:
        return
    store = target.client("s3")
    for page in store.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            store.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
