"""AgentCore's resource types: versions, endpoints, and what the service refuses."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local_cloud.templates import READ_CODE, WRITE_LOGS, agent, artifact

GOOD = "CREATE_COMPLETE"


@pytest.fixture(scope="module")
def deployed(aws, code):
    return aws.deploy("versions", agent("versions"))


def test_a_runtime_and_its_endpoint_have_the_documented_attributes(aws, deployed):
    outputs = deployed.outputs
    assert deployed.status == GOOD
    assert outputs["Arn"].endswith(f":runtime/{outputs['Id']}")
    assert outputs["Endpoint"] == f"{outputs['Arn']}/runtime-endpoint/live"
    assert (outputs["Version"], outputs["Live"], outputs["Status"]) == ("1", "1", "READY")
    record = aws.bedrock_agentcore_control.get_agent_runtime(agentRuntimeId=outputs["Id"])
    assert record["platformVersion"] == "V2"


def test_an_update_makes_a_version_that_default_follows_and_live_does_not(aws, deployed):
    updated = aws.deploy("versions", agent("versions", mode="second"), update=True)
    runtime_id = deployed.outputs["Id"]
    assert updated.status == "UPDATE_COMPLETE"
    assert (updated.outputs["Id"], updated.outputs["Version"], updated.outputs["Live"]) == (runtime_id, "2", "1")
    control = aws.bedrock_agentcore_control
    default = control.get_agent_runtime_endpoint(agentRuntimeId=runtime_id, endpointName="DEFAULT")
    assert default["liveVersion"] == "2"
    first = control.get_agent_runtime(agentRuntimeId=runtime_id, agentRuntimeVersion="1")
    assert first["environmentVariables"] == {"MODE": "good"}

    moved = aws.deploy("versions", agent("versions", mode="second", live="2"), update=True)
    assert (moved.outputs["Version"], moved.outputs["Live"]) == ("2", "2")

    with pytest.raises(ClientError, match="No updates are to be performed"):
        aws.deploy("versions", agent("versions", mode="second", live="2"), update=True)

    tagged = aws.deploy("versions", agent("versions", mode="second", live="2", Tags={"team": "a"}), update=True)
    assert tagged.outputs["Version"] == "2"


def test_a_new_name_is_a_new_runtime(aws, code):
    before = aws.deploy("renamed", agent("before"))
    after = aws.deploy("renamed", agent("after"), update=True)
    assert after.status == "UPDATE_COMPLETE"
    assert after.outputs["Id"].startswith("after-")
    names = [runtime["agentRuntimeName"] for runtime in _runtimes(aws)]
    assert "after" in names
    assert before.outputs["Id"] not in [runtime["agentRuntimeId"] for runtime in _runtimes(aws)]


def test_code_that_ends_at_start_fails_the_stack_with_its_last_words(aws, code):
    failed = aws.deploy("crash", agent("crash", mode="crash"))
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "the handler cannot start" in " ".join(failed.reasons)
    assert "crash" not in [runtime["agentRuntimeName"] for runtime in _runtimes(aws)]


def test_code_that_is_never_healthy_fails_the_update_and_the_old_version_stays(aws, code):
    first = aws.deploy("silent", agent("silent"))
    failed = aws.deploy("silent", agent("silent", mode="silent"), update=True)
    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "was not healthy within" in " ".join(failed.reasons)
    record = aws.bedrock_agentcore_control.get_agent_runtime(agentRuntimeId=first.outputs["Id"])
    assert (record["agentRuntimeVersion"], record["environmentVariables"]) == ("1", {"MODE": "good"})


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (agent("bad-name"), "agentRuntimeName"),
        (agent("unknown", Colour="red"), "unsupported property Colour"),
        (agent("many", EnvironmentVariables={f"V{n}": "x" for n in range(51)}), "at most 50"),
        (agent("large", EnvironmentVariables={"V": "x" * 1600}), "allows 1536"),
        (agent("large1", EnvironmentVariables={"V": "x" * 4200}, PlatformVersion="V1"), "allows 4096"),
        (agent("norole", RoleArn="arn:aws:iam::000000000000:role/none"), "verify that the role exists"),
        (agent("distrust", service="ecs-tasks.amazonaws.com"), "trust policy"),
        (agent("nocode", AgentRuntimeArtifact=artifact(key="none.zip")), "s3://code/none.zip does not exist"),
        (agent("oldpy", AgentRuntimeArtifact=artifact(runtime="PYTHON_2_7")), "enum value set"),
        (agent("idle", LifecycleConfiguration={"IdleRuntimeSessionTimeout": 5}), "from 60 to 28800"),
        (agent("vpc", NetworkConfiguration={"NetworkMode": "VPC"}), "subnets and securityGroups"),
        (agent("nover", live="7"), "version 7 does not exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_service_refuses_fails_the_stack(aws, code, template, reason):
    name = template["Resources"]["Agent"]["Properties"]["AgentRuntimeName"].replace("_", "-")
    failed = aws.deploy(f"refused-{name}", template)
    assert failed.status == "ROLLBACK_COMPLETE"
    assert reason in " ".join(failed.reasons)


def test_an_artefact_that_neither_role_nor_deployer_may_read_is_refused(aws, code, assume):
    rights = [
        {"Action": ["cloudformation:*", "iam:*", "bedrock-agentcore:*"], "Resource": "*"},
    ]
    deployer = assume("deployer", rights)
    failed = deployer.deploy("unreadable", agent("unreadable", statements=(WRITE_LOGS,)))
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "Access denied to the code artifact" in " ".join(failed.reasons)
    assert deployer.deploy("readable", agent("readable", statements=(READ_CODE,))).status == GOOD


def test_the_api_makes_updates_and_deletes_a_runtime_too(aws, code, deployed):
    control = aws.bedrock_agentcore_control
    place = {"s3": {"bucket": "code", "prefix": "agent.zip"}}
    configuration = {"code": place, "runtime": "PYTHON_3_11", "entryPoint": ["main.py"]}
    request = {
        "agentRuntimeArtifact": {"codeConfiguration": configuration},
        "roleArn": deployed.outputs["Role"],
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "platformVersion": "V2",
    }
    made = control.create_agent_runtime(agentRuntimeName="byhand", description="first", **request)
    assert made["agentRuntimeVersion"] == "1"
    updated = control.update_agent_runtime(agentRuntimeId=made["agentRuntimeId"], **request)
    assert updated["agentRuntimeVersion"] == "2"
    assert "description" not in control.get_agent_runtime(agentRuntimeId=made["agentRuntimeId"])
    with pytest.raises(ClientError) as conflict:
        control.create_agent_runtime(agentRuntimeName="byhand", **request)
    assert conflict.value.response["Error"]["Code"] == "ConflictException"
    control.delete_agent_runtime(agentRuntimeId=made["agentRuntimeId"])
    assert "byhand" not in [runtime["agentRuntimeName"] for runtime in _runtimes(aws)]


def _runtimes(aws):
    return aws.bedrock_agentcore_control.list_agent_runtimes(maxResults=100)["agentRuntimes"]
