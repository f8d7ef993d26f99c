"""What a destruction says before it begins: which stacks go in which order, and what outlives them."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from agent_runtime.errors import EnvironmentFault
from strandline.destruction import Kept, delete_stacks, plan_destruction
from tests.releases.world import StubbedTarget

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
DATA = {
    "Database": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Snapshot"},
    "Cache": {"Type": "AWS::ElastiCache::ReplicationGroup", "DeletionPolicy": "Delete"},
    "Key": {"Type": "AWS::SecretsManager::Secret", "DeletionPolicy": "Retain"},
}


@pytest.fixture
def target():
    with StubbedTarget() as target:
        yield target


def stack(name, **more):
    return {"StackName": name, "StackStatus": "CREATE_COMPLETE", "CreationTime": NOW, **more}


def test_what_is_retained_and_what_leaves_a_snapshot_is_named(target):
    cloudformation = target.stub("cloudformation")
    cloudformation.add_response("describe_stacks", {"Stacks": [stack("Staging-Data")]})
    cloudformation.add_response("get_template", {"TemplateBody": json.dumps({"Resources": DATA})})
    common = {"LastUpdatedTimestamp": NOW, "ResourceStatus": "CREATE_COMPLETE"}
    told = [
        {**common, "LogicalResourceId": name, "ResourceType": one["Type"], "PhysicalResourceId": f"staging-{name}"}
        for name, one in DATA.items()
    ]
    cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": told})

    plan = plan_destruction(target)

    assert plan.steps == (("Staging-Data",),)
    assert plan.kept == (
        Kept("AWS::RDS::DBInstance", "staging-Database", "goes, and leaves a snapshot"),
        Kept("AWS::SecretsManager::Secret", "staging-Key", "stays"),
    )


NAMED = {"StackName": "Staging-Network"}


def unprotected(target):
    """CloudFormation, once it is asked to let the stack go that is deleted."""
    cloudformation = target.stub("cloudformation")
    protection = {**NAMED, "EnableTerminationProtection": False}
    cloudformation.add_response("update_termination_protection", {}, protection)
    return cloudformation


def deleted(target):
    """CloudFormation, once it has been told to delete the stack."""
    cloudformation = unprotected(target)
    cloudformation.add_response("delete_stack", {}, NAMED)
    return cloudformation


def test_what_is_in_the_way_of_a_stack_is_told_with_the_command(target):
    reason = "The following resource(s) failed to delete: [Subnet]."
    failed = stack("Staging-Network", StackStatusReason=reason) | {"StackStatus": "DELETE_FAILED"}
    deleted(target).add_response("describe_stacks", {"Stacks": [failed]}, NAMED)

    with pytest.raises(EnvironmentFault, match=r"Staging-Network cannot be deleted: .*\[Subnet\].*and do it again"):
        list(delete_stacks(target, ["Staging-Network"], "do it again"))


def test_why_cloudformation_refuses_is_told_in_its_own_words(target):
    refusal = "Export Staging-Network:Vpc cannot be deleted as it is in use by Staging-Data."
    unprotected(target).add_client_error("delete_stack", "ValidationError", refusal)

    with pytest.raises(EnvironmentFault) as told:
        list(delete_stacks(target, ["Staging-Network"], "do it again"))

    assert str(told.value) == (
        "CloudFormation does not delete Staging-Network (ValidationError: "
        "Export Staging-Network:Vpc cannot be deleted as it is in use by Staging-Data)."
    )


def deletions(target, code):
    """Deletes a stack of which CloudFormation then tells nothing but an error."""
    deleted(target).add_client_error("describe_stacks", code, expected_params=NAMED)
    return delete_stacks(target, ["Staging-Network"], "do it again")


def test_a_stack_that_does_not_exist_any_more_is_gone(target):
    assert list(deletions(target, "ValidationError")) == ["Staging-Network"]


@pytest.mark.parametrize("code", ["Throttling", "AccessDenied", "ExpiredToken"])
def test_a_stack_of_which_nothing_is_told_is_not_called_gone(target, code):
    with pytest.raises(EnvironmentFault, match=rf"does not delete Staging-Network \({code}\)"):
        list(deletions(target, code))
