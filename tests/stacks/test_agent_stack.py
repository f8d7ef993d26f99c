"""One agent: its runtime, its pinned endpoint, its logs, its role."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aws_cdk.assertions import Match

from tests.stacks.conftest import LONGEST_ID
from tests.stacks.projects import Assembly, text_of

RUNTIME, ENDPOINT = "AWS::BedrockAgentCore::Runtime", "AWS::BedrockAgentCore::RuntimeEndpoint"
ROLE, LOG_GROUP, GATE = "AWS::IAM::Role", "AWS::Logs::LogGroup", "Custom::StrandlineChecks"

# Whoever may call GetAgentRuntime reads the variables: names, modes and places, and nothing that could be a key.
POINTERS = {
    "STRANDLINE_ENVIRONMENT": r"local|simulation|staging|production",
    "STRANDLINE_EXECUTION_MODE": r"simulation|staging|production",
    "STRANDLINE_BUNDLE": r"s3://[a-z0-9-]+/bundles/[a-z]+_[A-Za-z0-9_]+/[0-9a-f]{64}\.json",
    "STRANDLINE_SECRETS": r"strandline/(local|simulation|staging|production)/",
    "STRANDLINE_GATEWAY_URL": r"http://(<[A-Za-z0-9:-]+>|gateway\.simulation\.strandline\.internal):4000",
    "STRANDLINE_GATEWAY_KEY": r"[A-Z_][A-Z0-9_]*",
    "STRANDLINE_SIMULATED": r"true",
}


def runtimes(assembly: Assembly) -> list[tuple[str, dict[str, Any]]]:
    found = [(path, resource["Properties"]) for path, _, resource in assembly.resources(RUNTIME)]
    assert len(found) > 40
    return found


def statements(assembly: Assembly, path: str) -> dict[str, Any]:
    (policy,) = assembly.one(path, ROLE)["Policies"]
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def test_the_platform_version_is_said_and_not_left_to_aws(assembly: Assembly) -> None:
    assert {runtime["PlatformVersion"] for _, runtime in runtimes(assembly)} == {"V2"}


def test_names_are_such_as_agentcore_takes_even_the_longest(assembly: Assembly) -> None:
    names = {path: runtime["AgentRuntimeName"] for path, runtime in runtimes(assembly)}

    assert all(re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,47}", name) for name in names.values())
    assert names[f"Production/Agent-{LONGEST_ID}"] == f"production_{LONGEST_ID}"


def test_callers_endpoint_is_pinned_to_the_version_that_this_template_makes(assembly: Assembly) -> None:
    assembly.template("Production/Agent-a").has_resource_properties(
        ENDPOINT,
        {
            "Name": "live",
            "AgentRuntimeId": {"Fn::GetAtt": ["Runtime", "AgentRuntimeId"]},
            "AgentRuntimeVersion": {"Fn::GetAtt": ["Runtime", "AgentRuntimeVersion"]},
        },
    )


def test_the_endpoints_log_group_is_there_before_agentcore_would_make_one_without_retention(assembly: Assembly) -> None:
    groups = {(path, name): group["Properties"] for path, name, group in assembly.resources(LOG_GROUP)}
    for path, name, endpoint in assembly.resources(ENDPOINT):
        group, called = groups[path, f"{name}Logs"], endpoint["Properties"]["Name"]
        assert f"{name}Logs" in endpoint["DependsOn"]
        assert text_of(group["LogGroupName"]) == f"/aws/bedrock-agentcore/runtimes/<Runtime.AgentRuntimeId>-{called}"
        assert group["RetentionInDays"] == (365 if path.startswith("Production/") else 30)


def test_the_checks_stand_between_the_candidate_and_callers_and_what_was_live_is_held(assembly: Assembly) -> None:
    for path, _, gate in assembly.resources(GATE):
        endpoints = {one["Properties"]["Name"]: one for stack, _, one in assembly.resources(ENDPOINT) if stack == path}
        (checks,) = [name for stack, name, _ in assembly.resources(GATE) if stack == path]
        newest = {"Fn::GetAtt": ["Runtime", "AgentRuntimeVersion"]}
        assert gate["DependsOn"] == ["Candidate"]
        assert (gate["Properties"]["Endpoint"], gate["Properties"]["Version"]) == ("candidate", newest)
        assert endpoints["candidate"]["Properties"]["AgentRuntimeVersion"] == newest
        assert checks in endpoints["live"]["DependsOn"]
        assert endpoints["previous"]["Properties"]["AgentRuntimeVersion"] == {"Fn::GetAtt": [checks, "Previous"]}


def test_variables_are_pointers_and_nothing_else(assembly: Assembly) -> None:
    for path, runtime in runtimes(assembly):
        for name, value in runtime["EnvironmentVariables"].items():
            assert re.fullmatch(POINTERS[name], text_of(value)), (path, name)


def test_variables_fit_what_platform_v2_takes(assembly: Assembly) -> None:
    longest_host = "internal-" + "x" * 32 + "-0123456789.ap-southeast-1.elb.amazonaws.com"
    for path, runtime in runtimes(assembly):
        variables = {
            name: re.sub("<[^>]*>", longest_host, text_of(value))
            for name, value in runtime["EnvironmentVariables"].items()
        }
        assert len(variables) <= 50
        assert len(json.dumps(variables).encode()) <= 1536, path
        # What `agent_runtime.destination` leaves for ours.
        assert sum(len(name) + len(value) for name, value in variables.items()) <= 512, path


def test_only_agents_behind_the_gateway_are_told_of_it(assembly: Assembly) -> None:
    # In the environment simulation all are behind it: test_simulation.py.
    elsewhere = [(path, runtime) for path, runtime in runtimes(assembly) if not path.startswith("Simulation/")]
    behind = {
        path.partition("/Agent-")[2]
        for path, runtime in elsewhere
        if "STRANDLINE_GATEWAY_URL" in runtime["EnvironmentVariables"]
    }
    with_its_key = {
        path.partition("/Agent-")[2]
        for path, runtime in elsewhere
        if "STRANDLINE_GATEWAY_KEY" in runtime["EnvironmentVariables"]
    }

    assert behind == {"a", "a-b", "a-c", "ab", "only-simulation", LONGEST_ID}
    assert with_its_key == {"a", "only-simulation", LONGEST_ID}


def test_idle_sessions_end_when_the_blueprint_says(assembly: Assembly) -> None:
    for agent, seconds in (("a", 900), (LONGEST_ID, 3600)):
        runtime = assembly.one(f"Simulation/Agent-{agent}", RUNTIME)
        assert runtime["LifecycleConfiguration"]["IdleRuntimeSessionTimeout"] == seconds


def test_a_private_agent_is_in_the_vpc_and_in_the_agents_group(assembly: Assembly) -> None:
    for agent in ("a", "private"):
        network = assembly.one(f"Simulation/Agent-{agent}", RUNTIME)["NetworkConfiguration"]
        assert network["NetworkMode"] == "VPC"
        assert len(network["NetworkModeConfig"]["Subnets"]) == 2
        (group,) = network["NetworkModeConfig"]["SecurityGroups"]
        assert "AgentSecurityGroup" in text_of(group)


def test_a_public_agent_is_in_no_vpc(assembly: Assembly) -> None:
    for agent in ("direct", "lite", "rock"):
        runtime = assembly.one(f"Staging/Agent-{agent}", RUNTIME)
        assert runtime["NetworkConfiguration"] == {"NetworkMode": "PUBLIC"}


def test_the_code_is_a_zip_by_its_hash_with_an_entry_point(assembly: Assembly) -> None:
    for path, runtime in runtimes(assembly):
        code = runtime["AgentRuntimeArtifact"]["CodeConfiguration"]
        assert re.fullmatch(r"[0-9a-f]{64}\.zip", code["Code"]["S3"]["Prefix"]), path
        assert (code["EntryPoint"], code["Runtime"]) == (["main.py"], "PYTHON_3_13")


def test_the_runtime_runs_in_the_role_of_its_own_stack(assembly: Assembly) -> None:
    roles = {path: (name, role) for path, name, role in assembly.resources(ROLE) if "/Agent-" in path}
    for path, runtime in runtimes(assembly):
        name, role = roles[path]
        assert runtime["RoleArn"] == {"Fn::GetAtt": [name, "Arn"]}
        # Of the version before it is not taken away: its sessions run on, and a rollback goes back to it.
        assert (role["DeletionPolicy"], role["Properties"]["Path"].count("/")) == ("RetainExceptOnCreate", 4)
        assert re.fullmatch(r"ExecutionRole[0-9A-F]{8}", name)


def test_models_are_granted_to_bedrock_agents_only(assembly: Assembly) -> None:
    with_models = {
        path.partition("/")[2] for path, _ in runtimes(assembly) if "bedrock:Invoke" in str(assembly.documents[path])
    }

    assert with_models == {"Agent-rock", "Agent-rock-profile"}


def test_a_foundation_model_is_granted_in_the_region_of_the_agent(assembly: Assembly) -> None:
    granted = statements(assembly, "Production/Agent-rock")

    model = "foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert granted["Models"]["Resource"] == [f"arn:aws:bedrock:eu-central-1::{model}"]
    assert granted["Models"]["Action"] == ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    assert "ModelsBehindProfile" not in granted


def test_a_cross_region_profile_is_granted_and_its_model_through_it_only(assembly: Assembly) -> None:
    granted = statements(assembly, "Production/Agent-rock-profile")

    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    profile = f"arn:aws:bedrock:eu-central-1:222222222222:inference-profile/eu.{model}"
    assert granted["Models"]["Resource"] == [profile]
    assert granted["ModelsBehindProfile"]["Resource"] == [f"arn:aws:bedrock:*::foundation-model/{model}"]
    assert granted["ModelsBehindProfile"]["Condition"] == {"StringEquals": {"bedrock:InferenceProfileArn": profile}}


def test_an_agent_without_secrets_may_read_none(assembly: Assembly) -> None:
    assert "Secrets" not in statements(assembly, "Staging/Agent-rock")
    assert "SecretsKey" not in statements(assembly, "Staging/Agent-rock")


@pytest.mark.parametrize(("stage", "decrypts"), [("Simulation", False), ("Staging", True), ("Production", True)])
def test_a_key_of_the_users_own_may_be_used_to_read_the_secrets(
    assembly: Assembly, stage: str, *, decrypts: bool
) -> None:
    assert ("SecretsKey" in statements(assembly, f"{stage}/Agent-a")) is decrypts


def test_the_output_names_the_runtime_for_callers(assembly: Assembly) -> None:
    assembly.template("Production/Agent-a").has_output(
        "RuntimeArn", {"Value": {"Fn::GetAtt": ["Runtime", "AgentRuntimeArn"]}, "Export": Match.absent()}
    )
