"""What of an environment is not as its deployment left it, and what a deployment from here would change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.errors import InputError
from strandline.canaries import why_not_live
from strandline.deployed_stacks import stack_resources
from strandline.endpoints import Endpoints
from strandline.gateway_service import find_gateway
from strandline.invocation import find_runtime
from strandline.releases.changes import read_assembly, read_deployed
from strandline.releases.running import release_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from strandline.releases.changes import Template, Templates
    from strandline.releases.running import DeployedRelease
    from strandline.targets import Target


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    Attributes:
        kind: `template`, `live`, `canary`, `access` or `gateway`.
        place: The stack, the agent or the service.
        message: What differs, and how it is mended.
    """

    kind: str
    place: str
    message: str


def find_drift(target: Target, assembly: Path) -> list[Drift]:
    """Compares an environment with its templates, and these with an assembly.

    Args:
        target: The environment.
        assembly: The folder that `cdk synth` has just written.

    Returns:
        Every difference; empty where there is none.
    """
    deployed = read_deployed(target)
    found = [*_of_templates(deployed, read_assembly(assembly), target.environment.name)]
    for stack, template in sorted(deployed.items()):
        ids = {one.logical_id: one.physical_id for one in stack_resources(target, stack)}
        found += _of_roles(target, ids, stack, template)
        if release := release_of(template):
            found += _of_live(target, release)
        found += _of_services(target, ids, stack, template)
    return found


def _of_templates(deployed: Templates, wanted: Templates, environment: str) -> Iterator[Drift]:
    there, deploy = deployed.keys(), f"strandline deploy --env {environment}"
    for stack in sorted(wanted.keys() - there):
        yield Drift("template", stack, f"is not deployed: {deploy}")
    for stack in sorted(there - wanted.keys()):
        yield Drift(
            "template", stack, "is deployed, and nothing here asks for it: cdk destroy it, or restore its blueprint"
        )
    for stack in sorted(there & wanted.keys()):
        own, other = deployed[stack]["Resources"], wanted[stack]["Resources"]
        changed = sorted(name for name in own.keys() | other.keys() if own.get(name) != other.get(name))
        if changed:
            shown = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")  # noqa: PLR2004 - enough to see which
            yield Drift("template", stack, f"differs from what is here in {shown}: {deploy}")


def _of_live(target: Target, release: DeployedRelease) -> Iterator[Drift]:
    agent, name = release.agent, target.environment.name
    try:
        live = Endpoints(target, find_runtime(target, agent)).live()
    except InputError as gone:
        yield Drift("live", agent, str(gone))
        return
    if live is None:
        yield Drift("live", agent, f"has no endpoint live: strandline deploy --env {name}")
    elif (live.bundle, live.code) != (release.bundle, release.code):
        if why := why_not_live(target, agent):
            yield Drift("canary", agent, f"answers with version {live.number}, not with what was deployed last: {why}")
            return
        yield Drift(
            "live",
            agent,
            f"leads to version {live.number} (bundle {str(live.bundle)[:12]}), and what was deployed last is bundle "
            f"{release.bundle[:12]}: somebody rolled it back or moved it; deploy what it shall be",
        )


def _of_roles(target: Target, ids: Mapping[str, str], stack: str, template: Template) -> Iterator[Drift]:
    """Rights that were changed by hand: what reads secrets is what the template says, in every role."""
    iam = target.client("iam")
    roles = {name: one for name, one in template["Resources"].items() if one["Type"] == "AWS::IAM::Role"}
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


def _of_services(target: Target, ids: Mapping[str, str], stack: str, template: Template) -> Iterator[Drift]:
    found = find_gateway(target) if stack == target.stack_name("Gateway") else None
    if found is None:
        return
    service = found.describe(target.client("ecs"))
    if not service:
        yield Drift("gateway", stack, "has no service any more: restore it, or destroy the stack and deploy again")
        return
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
