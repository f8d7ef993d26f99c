"""What a deployment would change: the cloud assembly's templates beside those that are deployed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from strandline.aws_errors import told
from strandline.deployed_stacks import list_stacks
from strandline.targets import CALLS_AT_ONCE

if TYPE_CHECKING:
    from strandline.targets import Target

Action = Literal["add", "change", "replace", "remove"]
Template = dict[str, Any]
Templates = Mapping[str, Template]
"""By the stack's name in CloudFormation."""

CREATE_ONLY = Path(__file__).with_name("create_only.json")
"""What of a resource cannot be changed in place, from CloudFormation's own schemas (`createOnlyProperties`)."""


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that changes.

    Attributes:
        stack: Name of its stack.
        resource: Its logical id.
        type: Its CloudFormation type.
        action: What happens to it.
        properties: What of it changes.
    """

    stack: str
    resource: str
    type: str
    action: Action
    properties: tuple[str, ...] = ()


def read_assembly(assembly: Path) -> dict[str, Template]:
    """Reads the templates of a cloud assembly.

    Args:
        assembly: Its folder.

    Returns:
        The templates, by the names of their stacks.
    """
    return {
        artifact["properties"].get("stackName", artifact["displayName"].replace("/", "-")): json.loads(
            (manifest.parent / artifact["properties"]["templateFile"]).read_text()
        )
        for manifest in sorted(assembly.glob("**/manifest.json"))
        for artifact in json.loads(manifest.read_text()).get("artifacts", {}).values()
        if artifact["type"] == "aws:cloudformation:stack"
    }


def read_deployed(target: Target, names: Iterable[str] | None = None) -> dict[str, Template]:
    """Reads the templates of an environment's stacks.

    Args:
        target: The environment.
        names: Names of the stacks; all of the environment's where none are given.

    Returns:
        The templates that are deployed, by the names of their stacks.

    Raises:
        EnvironmentFault: CloudFormation refuses, or cannot be reached.
    """
    there = list_stacks(target)
    wanted = sorted(there) if names is None else sorted(there.keys() & set(names))
    client = target.client("cloudformation")
    with (
        told("CloudFormation", f"CloudFormation does not tell what {target.environment.name} has"),
        ThreadPoolExecutor(CALLS_AT_ONCE) as pool,
    ):
        return dict(zip(wanted, pool.map(lambda name: _template(client, name), wanted), strict=True))


def find_changes(before: Templates, after: Templates) -> list[ResourceChange]:
    """Finds what differs.

    Args:
        before: The templates that are deployed.
        after: Those of the assembly; a stack that is not among them stays as it is.

    Returns:
        The changes, in the order of stacks and logical ids.
    """
    return [change for stack in sorted(after) for change in _of_stack(stack, before.get(stack, {}), after[stack])]


def _of_stack(stack: str, before: Template, after: Template) -> Iterator[ResourceChange]:
    old, new = before.get("Resources", {}), after.get("Resources", {})
    for name in sorted({*old, *new}):
        if name not in old:
            yield ResourceChange(stack, name, new[name]["Type"], "add")
        elif name not in new:
            yield ResourceChange(stack, name, old[name]["Type"], "remove")
        elif old[name]["Type"] != new[name]["Type"]:
            yield ResourceChange(stack, name, new[name]["Type"], "replace", ("Type",))
        elif properties := _differing(old[name].get("Properties", {}), new[name].get("Properties", {})):
            fixed = _create_only().get(new[name]["Type"], ())
            action: Action = "replace" if set(fixed).intersection(properties) else "change"
            yield ResourceChange(stack, name, new[name]["Type"], action, properties)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))


@cache
def _create_only() -> dict[str, list[str]]:
    known: dict[str, list[str]] = json.loads(CREATE_ONLY.read_text())
    return known


def _template(client: Any, name: str) -> Template:
    body = client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    template: Template = json.loads(body) if isinstance(body, str) else body
    return template
