"""Drift of one stack at a time: its template, the rights of its roles, and what the gateway runs."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from strandline.drift import find_drift
from tests.releases.world import StubbedTarget

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
READS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
MORE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyName": "Agent", "PolicyDocument": READS}]}}
GATEWAY = {
    "Cluster": {"Type": "AWS::ECS::Cluster"},
    "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"Family": "gateway"}},
    "Service": {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": {"Ref": "Task"}}},
}
TASK = "arn:aws:ecs:eu-west-1:111111111111:task-definition/gateway:4"


@pytest.fixture
def target():
    with StubbedTarget() as target:
        yield target


def has_stack(target, name, resources, **ids):
    """One stack with this template, whose resources have these names in AWS."""
    cloudformation = target.stub("cloudformation")
    stack = {"StackName": name, "StackStatus": "UPDATE_COMPLETE", "CreationTime": NOW}
    cloudformation.add_response("describe_stacks", {"Stacks": [stack]})
    cloudformation.add_response("get_template", {"TemplateBody": json.dumps({"Resources": resources})})
    return holds(target, name, resources, ids)


def holds(target, name, resources, ids):
    common = {"LastUpdatedTimestamp": NOW, "ResourceStatus": "CREATE_COMPLETE"}
    told = [
        {**common, "LogicalResourceId": logical, "ResourceType": one["Type"], "PhysicalResourceId": ids[logical]}
        for logical, one in resources.items()
        if logical in ids
    ]
    target.stub("cloudformation").add_response(
        "list_stack_resources", {"StackResourceSummaries": told}, {"StackName": name}
    )


def assembly(folder, **stacks):
    """A cloud assembly with these resources by stack."""
    artifacts = {}
    for name, resources in stacks.items():
        file = f"{name}.template.json"
        (folder / file).write_text(json.dumps({"Resources": resources}))
        properties = {"templateFile": file, "stackName": f"Staging-{name}"}
        artifacts[name] = {"type": "aws:cloudformation:stack", "properties": properties, "displayName": name}
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def found(target, folder):
    return [(one.kind, one.place, one.message) for one in find_drift(target, folder)]


def test_a_template_that_is_not_the_trees_is_told_by_its_resources(target, tmp_path):
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "one"}}
    has_stack(target, "Staging-Data", {"Kept": bucket, "Changed": bucket, "Gone": bucket})
    other = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "another"}}

    told = found(target, assembly(tmp_path, Data={"Kept": bucket, "Changed": other, "New": other}))

    mend = "strandline deploy --env staging"
    assert told == [("template", "Staging-Data", f"differs from what is here in Changed, Gone, New: {mend}")]


def test_stacks_that_only_one_side_has_are_told(target, tmp_path):
    has_stack(target, "Staging-Old", {})

    told = found(target, assembly(tmp_path, New={}))

    assert [(kind, place, message[:16]) for kind, place, message in told] == [
        ("template", "Staging-New", "is not deployed:"),
        ("template", "Staging-Old", "is deployed, and"),
    ]


def has_policies(target, attached=(), **policies):
    iam, named = target.stub("iam"), {"RoleName": "tide-role"}
    iam.add_response("list_role_policies", {"PolicyNames": list(policies)}, named)
    for name, document in policies.items():
        answer = {"RoleName": "tide-role", "PolicyName": name, "PolicyDocument": json.dumps(document)}
        iam.add_response("get_role_policy", answer, {**named, "PolicyName": name})
    given = [{"PolicyName": name, "PolicyArn": f"arn:aws:iam::aws:policy/{name}"} for name in attached]
    iam.add_response("list_attached_role_policies", {"AttachedPolicies": given}, named)


@pytest.mark.parametrize(
    ("policies", "attached", "told"),
    [
        ({"Agent": READS}, (), None),
        ({"Agent": MORE}, (), "Agent"),
        ({}, (), "Agent"),
        ({"Agent": READS, "Debug": READS}, (), "Debug"),
        ({"Agent": READS}, ("AdministratorAccess",), "AdministratorAccess"),
    ],
)
def test_rights_that_somebody_changed_are_told_by_role_and_policy(target, tmp_path, policies, attached, told):
    has_stack(target, "Staging-Agent-tide", {"Role": ROLE}, Role="tide-role")
    has_policies(target, attached, **policies)

    drift = found(target, assembly(tmp_path, **{"Agent-tide": {"Role": ROLE}}))

    message = f"the rights of the role tide-role were changed by hand in {told}: undo it"
    assert drift == ([("access", "Staging-Agent-tide", message)] if told else [])


def test_a_role_that_is_gone_is_told(target, tmp_path):
    has_stack(target, "Staging-Agent-tide", {"Role": ROLE}, Role="tide-role")
    target.stub("iam").add_client_error("list_role_policies", "NoSuchEntity")

    ((kind, place, message),) = found(target, assembly(tmp_path, **{"Agent-tide": {"Role": ROLE}}))

    assert (kind, place) == ("access", "Staging-Agent-tide")
    assert message.startswith("the role tide-role is gone")


def has_service(target, **service):
    ids = {"Cluster": "gateway", "Task": TASK, "Service": "litellm"}
    has_stack(target, "Staging-Gateway", GATEWAY, **ids)
    holds(target, "Staging-Gateway", GATEWAY, ids)
    told = {"taskDefinition": TASK, "desiredCount": 2, "runningCount": 2, **service}
    asked = {"cluster": "gateway", "services": ["litellm"]}
    target.stub("ecs").add_response("describe_services", {"services": [told] if service else []}, asked)


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ({"runningCount": 2}, None),
        ({"runningCount": 1}, "1 of 2 tasks run: strandline gateway health --env staging"),
        ({"taskDefinition": TASK[:-1] + "5"}, "runs gateway:5, and its deployment made gateway:4: deploy again"),
        ({}, "has no service any more: restore it, or destroy the stack and deploy again"),
    ],
)
def test_what_the_gateway_runs_is_what_its_deployment_made(target, tmp_path, service, told):
    has_service(target, **service)

    drift = found(target, assembly(tmp_path, Gateway=GATEWAY))

    assert drift == ([("gateway", "Staging-Gateway", told)] if told else [])
