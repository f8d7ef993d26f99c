"""No value of a secret in anything that deploying and asking left behind. Runs last of its folder, over all of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.e2e.canaries import forms_of, hits, hits_in_files
from tests.e2e.conftest import GENERATED

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def values(project):
    """Every secret's value, the generated keys among them."""
    manager = project.client("secretsmanager")
    generated = {
        name: manager.get_secret_value(SecretId=f"strandline/local/{name}")["SecretString"] for name in GENERATED
    }
    return forms_of({**project.canaries, **generated})


def test_search_finds_what_is_there(values, project):
    """The search itself can fail: it sees a value where one is."""
    value = project.canaries["DIRECT_API_KEY"]
    assert hits(values, f"key={value}".encode(), "a line") == ["DIRECT_API_KEY in a line"]


def test_no_value_in_files(values, project):
    assert hits_in_files(values, project) == []


def test_no_value_in_cloudformation(values, project):
    client = project.client("cloudformation")
    found = []
    for stack in client.describe_stacks()["Stacks"]:
        name = stack["StackName"]
        told = [
            stack,
            client.describe_stack_events(StackName=name)["StackEvents"],
            client.describe_stack_resources(StackName=name)["StackResources"],
            client.get_template(StackName=name)["TemplateBody"],
        ]
        found += hits(values, json.dumps(told, default=str).encode(), name)
    assert found == []


def test_no_value_in_the_runtimes(values, project):
    """Neither in what GetAgentRuntime tells, nor in the environment of a session's process."""
    control = project.client("bedrock-agentcore-control")
    project.invoke("direct", "Keep a session alive.")
    project.invoke("routed", "Keep a session alive.")
    found = []
    for runtime in control.list_agent_runtimes()["agentRuntimes"]:
        told = control.get_agent_runtime(agentRuntimeId=runtime["agentRuntimeId"])
        found += hits(values, json.dumps(told, default=str).encode(), runtime["agentRuntimeName"])
    sessions = project.cloud.status().detail["sessions"]
    assert sessions
    for session in sessions:
        process = Path(f"/proc/{session['pid']}")
        found += hits(values, (process / "environ").read_bytes(), "a session's environment")
        found += hits(values, (process / "cmdline").read_bytes(), "a session's command line")
    assert found == []


def test_no_value_in_task_definitions(values, project):
    ecs = project.client("ecs")
    arns = ecs.list_task_definitions()["taskDefinitionArns"]
    assert arns
    told = [ecs.describe_task_definition(taskDefinition=arn) for arn in arns]
    assert hits(values, json.dumps(told, default=str).encode(), "task definitions") == []


def test_no_value_in_cloudwatch_logs(values, project):
    logs = project.client("logs")
    found, events = [], 0
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for stream in logs.describe_log_streams(logGroupName=name)["logStreams"]:
            told = logs.get_log_events(logGroupName=name, logStreamName=stream["logStreamName"])["events"]
            events += len(told)
            found += hits(values, json.dumps(told).encode(), name)
    assert events > 10
    assert found == []


def test_no_value_in_the_buckets(values, project):
    s3 = project.client("s3")
    found = []
    for bucket in s3.list_buckets()["Buckets"]:
        for entry in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            content = s3.get_object(Bucket=bucket["Name"], Key=entry["Key"])["Body"].read()
            unpacked = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
            found += hits(values, unpacked, entry["Key"])
    assert found == []


def test_no_value_in_what_the_commands_printed(values, project):
    project.run("local", "status")
    project.run("local", "logs")
    project.run("status", "--env", "local")
    assert any(project.printed)
    assert hits(values, "\n".join(project.printed).encode(), "the output") == []
