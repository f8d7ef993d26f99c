"""The plan of a promotion, from the templates of before and after."""

from __future__ import annotations

import json

from benchmarks.create_only import create_only
from stacks.canary import Canary
from strandline.releases.changes import CREATE_ONLY
from strandline.releases.plan import compare, overlay_differences

REGION = "us-east-1"


def runtime(**properties):
    given = {"AgentRuntimeName": "staging_tide", "LifecycleConfiguration": {"MaxLifetime": 3600}}
    return {"Type": "AWS::BedrockAgentCore::Runtime", "Properties": given | properties}


def role(*statements, **properties):
    policies = [{"PolicyName": "Agent", "PolicyDocument": {"Statement": list(statements)}}]
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies, **properties}}


def allow(actions, resources, **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def secret(name="A"):
    return {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name}}


def compared(before, after, region=REGION):
    return compare({"Staging-Agent-tide": {"Resources": before}}, {"Staging-Agent-tide": {"Resources": after}}, region)


def actions(before, after):
    return {change.resource: (change.action, *change.properties) for change in compared(before, after)[0]}


def test_resources_are_added_changed_replaced_and_removed():
    before = {"Runtime": runtime(), "Key": secret(), "Gone": secret("B"), "Same": secret("C"), "Other": secret("D")}
    after = {
        "Runtime": runtime(EnvironmentVariables={"STRANDLINE_BUNDLE": "s3://b/1.json"}),
        "Key": secret("A2"),
        "New": secret("E"),
        "Same": secret("C"),
        "Other": runtime(),
    }
    assert actions(before, after) == {
        "Runtime": ("change", "EnvironmentVariables"),
        "Key": ("replace", "Name"),
        "Gone": ("remove",),
        "New": ("add",),
        "Other": ("replace", "Type"),
    }


def test_a_stack_that_is_not_there_yet_is_added_and_one_that_is_not_compared_stays():
    changes, *_ = compare(
        {"Staging-Other": {"Resources": {"A": secret()}}}, {"S": {"Resources": {"A": secret()}}}, REGION
    )
    assert [(one.stack, one.action) for one in changes] == [("S", "add")]


def test_what_cannot_be_changed_in_place_is_what_cloudformations_schemas_say():
    assert json.loads(CREATE_ONLY.read_text()) == create_only(), "python -m benchmarks.create_only"
    assert create_only()["AWS::BedrockAgentCore::Runtime"] == ["AgentRuntimeName"]


def test_rights_are_told_in_words():
    key = {"Fn::GetAtt": ["Key", "Arn"]}
    before = {"Role": role(allow(["s3:GetObject"], ["arn:b/1"]), allow("xray:PutTraceSegments", "*"))}
    after = {
        "Role": role(
            allow(["s3:GetObject", "s3:PutObject"], ["arn:b/2"]),
            allow("xray:PutTraceSegments", "*"),
            allow("kms:Decrypt", key, Condition={"StringEquals": {"kms:ViaService": "s3"}}),
            {"Effect": "Deny", "Action": "s3:*", "Resource": {"Fn::Join": ["", ["arn:", {"Ref": "Bucket"}, "/*"]]}},
            AssumeRolePolicyDocument={"Statement": [{"Principal": {"Service": "ecs"}, "Action": "sts:AssumeRole"}]},
        ),
    }
    _, rights, *_ = compared(before, after)
    assert rights == [
        'Staging-Agent-tide, Role: may kms:Decrypt on <Key.Arn>, where {"StringEquals": {"kms:ViaService": "s3"}}',
        "Staging-Agent-tide, Role: may s3:GetObject, s3:PutObject on arn:b/2",
        "Staging-Agent-tide, Role: may sts:AssumeRole by ecs",
        "Staging-Agent-tide, Role: is refused s3:* on arn:<Bucket>/*",
        "Staging-Agent-tide, Role: no longer may s3:GetObject on arn:b/1",
    ]


def test_a_role_that_another_takes_the_place_of_is_compared_with_it():
    before = {"Role0A1B2C3D": role(allow(["s3:GetObject", "s3:PutObject"], ["arn:b/1"]))}
    after = {"Role4E5F6071": role(allow(["s3:GetObject"], ["arn:b/1"]))}
    _, rights, *_ = compared(before, after)
    assert rights == ["Staging-Agent-tide, Role: no longer may s3:PutObject on arn:b/1"]


def test_a_role_that_goes_loses_its_rights():
    _, rights, *_ = compared({"Role": role(allow("s3:GetObject", "arn:b/1"))}, {})
    assert rights == ["Staging-Agent-tide, Role: no longer may s3:GetObject on arn:b/1"]


def test_the_cost_is_that_of_an_idle_month_of_everything():
    *_, cost, _ = compared({"A": secret()}, {"A": secret(), "B": secret("B"), "C": secret("C")})
    assert (cost.before, cost.after, cost.note) == (0.4, 1.2, "")


def test_a_cost_that_is_not_known_is_said_and_not_guessed():
    *_, elsewhere, _ = compared({}, {"A": secret()}, region="eu-central-1")
    assert (elsewhere.after, elsewhere.note) == (None, "prices are known for us-east-1, not for eu-central-1")
    *_, unknown, _ = compared({}, {"A": {"Type": "AWS::Made::Up"}})
    assert "AWS::Made::Up is neither priced nor free" in unknown.note


def test_a_canary_takes_a_share_of_new_sessions():
    canary = {"Type": "Custom::StrandlineCanary", "Properties": {"Settings": Canary(share="20%").encode()}}
    *_, sessions = compared({"Runtime": runtime()}, {"Runtime": runtime(Description="other"), "Canary": canary})
    assert sessions == [
        "Staging-Agent-tide: running sessions keep their version until they end, 60 minutes at most; 20% of new "
        "sessions, and if the canary goes well all of them, get the new one"
    ]


def test_running_sessions_keep_their_version_or_end():
    *_, sessions = compared({"Runtime": runtime()}, {"Runtime": runtime(Description="other")})
    assert sessions == [
        "Staging-Agent-tide: running sessions keep their version until they end, 60 minutes at most; new sessions get "
        "the new one"
    ]
    for after in ({}, {"Runtime": runtime(AgentRuntimeName="staging_other")}):
        *_, sessions = compared({"Runtime": runtime()}, after)
        assert sessions == ["Staging-Agent-tide: running sessions end, because the runtime goes"]
    *_, sessions = compared({}, {"Runtime": runtime()})
    assert sessions == []


def test_overlays_differ_by_their_fields():
    here = {"model": {"model_id": "a", "temperature": 0.1}, "tags": ["x"], "version": "1"}
    there = {"model": {"model_id": "b", "temperature": 0.1}, "tags": ["y"], "version": "1"}
    assert list(overlay_differences(here, there)) == [
        "model.model_id: 'b' in place of 'a'",
        "tags: ['y'] in place of ['x']",
    ]
    assert list(overlay_differences(here, here)) == []
