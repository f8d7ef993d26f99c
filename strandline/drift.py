"""What of an environment is not as its deployment left it, and what a deployment from here would change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import InputError
from stacks.names import GATE_TYPE, LIVE
from strandline.endpoints import Endpoints
from strandline.invocation import find_runtime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from strandline.targets import Target

Template = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    Attributes:
        kind: `template`, `live`, `access` or `gateway`.
        place: The stack, the agent or the service.
        message: What differs, and how it is mended.
    """

    kind: str
    place: str
    message: str


class Deployed:
    """The stacks of an environment as CloudFormation has them.

    Args:
        target: The environment.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = target.client("cloudformation")
        self._templates: dict[str, Template] = {}

    def stacks(self) -> list[str]:
        """Names of the stacks that are there."""
        prefix = self._target.stack_name("")
        pages = self._client.get_paginator("describe_stacks").paginate()
        return sorted(
            stack["StackName"] for page in pages for stack in page["Stacks"] if stack["StackName"].startswith(prefix)
        )

    def template(self, stack: str) -> Template:
        """The template that a stack was deployed with."""
        if stack not in self._templates:
            body = self._client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
            self._templates[stack] = json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))
        return self._templates[stack]

    def physical_ids(self, stack: str) -> dict[str, str]:
        """Physical id of each resource of a stack, by its logical id."""
        found = self._client.describe_stack_resources(StackName=stack)["StackResources"]
        return {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in found}


def find_drift(target: Target, assembly: Path) -> list[Drift]:
    """Compares an environment with its templates, and these with an assembly.

    Args:
        target: The environment.
        assembly: The folder that `cdk synth` has just written.

    Returns:
        Every difference; empty where there is none.
    """
    deployed = Deployed(target)
    found = [*_of_templates(deployed, wanted_templates(assembly), target.environment.name)]
    for stack in deployed.stacks():
        template = deployed.template(stack)
        found += _of_roles(target, deployed, stack, template)
        if any(one["Type"] == GATE_TYPE for one in template["Resources"].values()):
            found += _of_live(target, template)
        found += _of_services(target, deployed, stack, template)
    return found


def wanted_templates(assembly: Path) -> dict[str, Template]:
    """Reads the templates of an assembly.

    Args:
        assembly: Its folder.

    Returns:
        Templates by the names of their stacks.
    """
    found = {}
    for manifest in assembly.rglob("manifest.json"):
        for artifact in json.loads(manifest.read_text()).get("artifacts", {}).values():
            if artifact["type"] == "aws:cloudformation:stack":
                properties = artifact["properties"]
                file = manifest.parent / properties["templateFile"]
                found[properties["stackName"]] = json.loads(file.read_text())
    return found


def _of_templates(deployed: Deployed, wanted: Mapping[str, Template], environment: str) -> Iterator[Drift]:
    there, deploy = set(deployed.stacks()), f"strandline deploy --env {environment}"
    for stack in sorted(wanted.keys() - there):
        yield Drift("template", stack, f"is not deployed: {deploy}")
    for stack in sorted(there - wanted.keys()):
        yield Drift(
            "template", stack, "is deployed, and nothing here asks for it: cdk destroy it, or restore its blueprint"
        )
    for stack in sorted(there & wanted.keys()):
        own, other = deployed.template(stack)["Resources"], wanted[stack]["Resources"]
        changed = sorted(name for name in own.keys() | other.keys() if own.get(name) != other.get(name))
        if changed:
            shown = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")  # noqa: PLR2004 - enough to see which
            yield Drift("template", stack, f"differs from what is here in {shown}: {deploy}")


def _of_live(target: Target, template: Template) -> Iterator[Drift]:
    (gate,) = (one["Properties"] for one in template["Resources"].values() if one["Type"] == GATE_TYPE)
    agent, name = gate["Agent"], target.environment.name
    try:
        endpoints = Endpoints(target, find_runtime(target, agent))
        number = endpoints.versions_behind().get(LIVE)
        live = endpoints.version(number) if number else None
    except InputError as gone:
        yield Drift("live", agent, str(gone))
        return
    if live is None:
        yield Drift("live", agent, f"has no endpoint live: strandline deploy --env {name}")
    elif live.bundle != gate["Bundle"] or live.code != gate["Code"]:
        yield Drift(
            "live",
            agent,
            f"leads to version {number} (bundle {str(live.bundle)[:12]}), and what was deployed last is bundle "
            f"{gate['Bundle'][:12]}: somebody rolled it back or moved it; deploy what it shall be",
        )


def _of_roles(target: Target, deployed: Deployed, stack: str, template: Template) -> Iterator[Drift]:
    """Rights that were changed by hand: what reads secrets is what the template says, in every role."""
    iam = target.client("iam")
    roles = {name: one for name, one in template["Resources"].items() if one["Type"] == "AWS::IAM::Role"}
    ids = deployed.physical_ids(stack) if roles else {}
    for name, role in roles.items():
        told = {one["PolicyName"]: one["PolicyDocument"] for one in role["Properties"].get("Policies", ())}
        if not told or "Fn::" in json.dumps(told) or '"Ref"' in json.dumps(told):
            continue  # what only CloudFormation can write out
        try:
            kept = {
                policy: iam.get_role_policy(RoleName=ids[name], PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=ids[name])["PolicyNames"]
            }
            attached = [
                one["PolicyName"] for one in iam.list_attached_role_policies(RoleName=ids[name])["AttachedPolicies"]
            ]
        except iam.exceptions.NoSuchEntityException:
            yield Drift(
                "access", stack, f"the role {ids[name]} is gone: strandline deploy does not see that; cdk drift does"
            )
            continue
        differing = sorted(policy for policy in told.keys() | kept.keys() if told.get(policy) != kept.get(policy))
        managed = [] if role["Properties"].get("ManagedPolicyArns") else attached
        if differing or managed:
            names = ", ".join([*differing, *managed])
            yield Drift("access", stack, f"the rights of the role {ids[name]} were changed by hand in {names}: undo it")


def _of_services(target: Target, deployed: Deployed, stack: str, template: Template) -> Iterator[Drift]:
    kinds = {one["Type"] for one in template["Resources"].values()}
    if "AWS::ECS::Service" not in kinds:
        return
    ids = deployed.physical_ids(stack)
    by_kind = {template["Resources"][name]["Type"]: ids[name] for name in template["Resources"] if name in ids}
    services = target.client("ecs").describe_services(
        cluster=by_kind["AWS::ECS::Cluster"], services=[by_kind["AWS::ECS::Service"]]
    )["services"]
    if not services:
        yield Drift("gateway", stack, "has no service any more: restore it, or destroy the stack and deploy again")
        return
    (service,) = services
    defined = _definition_of(template, ids)
    if defined and service["taskDefinition"] != defined:
        yield Drift(
            "gateway",
            stack,
            f"runs {_short(service['taskDefinition'])}, and its deployment made {_short(defined)}: deploy again",
        )
    if service["runningCount"] < service["desiredCount"]:
        running = f"{service['runningCount']} of {service['desiredCount']}"
        yield Drift("gateway", stack, f"{running} tasks run: strandline gateway health --env {target.environment.name}")


def _definition_of(template: Template, ids: Mapping[str, str]) -> str | None:
    """The task definition that the service of the template refers to."""
    service = next(one for one in template["Resources"].values() if one["Type"] == "AWS::ECS::Service")
    return ids.get(service["Properties"].get("TaskDefinition", {}).get("Ref", ""))


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
