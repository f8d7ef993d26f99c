# ruff: noqa: S310 - addresses of this machine
"""ECS services: tasks as processes, their health, deployments and what a failed one leaves behind; load balancers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import urllib.error
import urllib.request

import psutil
import pytest

from tests.local_cloud.cloud_clients import Clients, fetch, until
from tests.local_cloud.templates import service


@pytest.fixture(scope="module")
def web(aws):
    deployed = aws.deploy("web", service(count=2))
    assert deployed.status == "CREATE_COMPLETE", deployed.reasons
    yield deployed.outputs
    # Its tasks are looked after twice a second, by a program each time.
    aws.remove("web")


def url(outputs, path="/x"):
    return f"http://{outputs['Dns']}:8080{path}"


def tasks(aws, outputs, status="RUNNING"):
    ecs = aws.ecs
    arns = ecs.list_tasks(cluster=outputs["Cluster"], desiredStatus=status)["taskArns"]
    return ecs.describe_tasks(cluster=outputs["Cluster"], tasks=arns)["tasks"] if arns else []


def test_the_balancers_name_answers_and_reaches_both_tasks(aws, web):
    pids = {fetch(url(web))["pid"] for _ in range(30)}
    assert len(pids) == 2
    assert {task["healthStatus"] for task in tasks(aws, web)} == {"HEALTHY"}
    health = aws.elbv2.describe_target_health(TargetGroupArn=web["Targets"])["TargetHealthDescriptions"]
    assert [entry["TargetHealth"]["State"] for entry in health] == ["healthy", "healthy"]


def test_a_tasks_environment_is_exact(aws, web):
    environment = fetch(url(web))["environment"]
    value = aws.secretsmanager.get_secret_value(SecretId=web["Key"])["SecretString"]
    assert environment["KEY"] == value
    assert value.isalnum()
    assert len(value) == 24
    assert set(environment) - {"LC_CTYPE"} == {
        "MODE",
        "KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "ECS_CONTAINER_METADATA_URI_V4",
        "HOME",
        "TMPDIR",
        "LANG",
        "PATH",
        "PYTHONUNBUFFERED",
        "STRANDLINE_LOCAL_CLOUD",
    }


def test_a_task_has_the_credentials_of_its_role(web, cloud):
    environment = fetch(url(web))["environment"]
    header = {"Authorization": environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
    uri = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(uri)
    with urllib.request.urlopen(urllib.request.Request(uri, headers=header)) as answer:
        given = json.load(answer)
    names = {
        "aws_access_key_id": "AccessKeyId",
        "aws_secret_access_key": "SecretAccessKey",
        "aws_session_token": "Token",
    }
    inside = Clients(cloud.url, credentials={ours: given[theirs] for ours, theirs in names.items()})
    role_name = web["TaskRole"].rsplit("/", 1)[1]
    assert f":assumed-role/{role_name}/" in inside.sts.get_caller_identity()["Arn"]


def test_a_task_definition_keeps_its_members(aws, web):
    definition = aws.ecs.describe_task_definition(taskDefinition=web["Definition"])["taskDefinition"]
    container = definition["containerDefinitions"][0]
    assert container["secrets"] == [{"name": "KEY", "valueFrom": web["Key"]}]
    assert container["healthCheck"]["retries"] == 2
    assert container["logConfiguration"]["options"]["awslogs-stream-prefix"] == "app"
    assert container["linuxParameters"] == {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}
    assert (container["stopTimeout"], container["user"], container["readonlyRootFilesystem"]) == (5, "1000", True)
    assert definition["runtimePlatform"]["cpuArchitecture"] == "ARM64"


def test_the_output_is_in_the_log_group(aws, web):
    def messages():
        return [event["message"] for event in aws.logs.filter_log_events(logGroupName=web["Logs"])["events"]]

    assert until(lambda: messages().count("serving") >= 2)
    streams = aws.logs.describe_log_streams(logGroupName=web["Logs"])["logStreams"]
    assert all(stream["logStreamName"].startswith("app/app/") for stream in streams)


def test_a_balancer_streams(web, tmp_path):
    with urllib.request.urlopen(url(web, f"/stream?gate={tmp_path / 'gate'}")) as answer:
        # The server sends the next piece only after this test has the one before.
        for number in range(3):
            assert answer.read1() == b"%d" % number
            (tmp_path / f"gate{number + 1}").touch()


def test_a_task_that_dies_is_replaced_and_its_answer_has_no_end(web, tmp_path):
    streaming = urllib.request.urlopen(url(web, f"/stream?gate={tmp_path / 'gate'}"))
    assert streaming.read1() == b"0"
    killed = int(streaming.headers["x-pid"])
    os.kill(killed, signal.SIGKILL)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        streaming.read()

    def replaced():
        try:
            pids = {fetch(url(web))["pid"] for _ in range(20)}
        except urllib.error.HTTPError:
            return False
        return len(pids) == 2 and killed not in pids

    until(replaced)


def deployments(aws, outputs):
    """Those that have tasks, with how many."""
    ecs = aws.ecs
    (name,) = ecs.list_services(cluster=outputs["Cluster"])["serviceArns"]
    (told,) = ecs.describe_services(cluster=outputs["Cluster"], services=[name])["services"]
    return [(one["status"], one["runningCount"]) for one in told["deployments"] if one["runningCount"]]


def test_an_update_rolls_without_a_failed_request(aws, web, tmp_path):
    before = {fetch(url(web))["pid"] for _ in range(20)}
    streaming = urllib.request.urlopen(url(web, f"/stream?gate={tmp_path / 'gate'}"))
    aws.cloudformation.update_stack(
        StackName="web", TemplateBody=json.dumps(service("second", count=2)), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    modes = []

    def settled():
        modes.append(fetch(url(web))["mode"])  # an error here is the failure
        return aws._settled("web")

    assert until(settled)["StackStatus"] == "UPDATE_COMPLETE"
    assert modes[0] == "good"
    assert {fetch(url(web))["mode"] for _ in range(10)} == {"second"}
    # The task that answers a request from before the update is still there, and so is its deployment.
    until(lambda: deployments(aws, web) == [("PRIMARY", 2), ("ACTIVE", 1)])
    for number in (1, 2):
        (tmp_path / f"gate{number}").touch()
    with streaming:
        assert streaming.read() == b"012"
    until(lambda: not any(psutil.pid_exists(pid) for pid in before))
    assert deployments(aws, web) == [("PRIMARY", 2)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (service("crash", count=2), "exit code 1"),
        (service("sick", count=2), "health checks"),
        (service("third", count=2, check="exit 1"), "container health checks"),
        (service("third", count=2, may_read=False), "GetSecretValue"),
    ],
    ids=["crash", "unhealthy target", "unhealthy container", "no right to the secret"],
)
def test_a_deployment_that_fails_is_rolled_back_and_the_old_tasks_serve(aws, web, changed, reason):
    failed = aws.deploy("web", changed, update=True)
    assert failed.status == "UPDATE_ROLLBACK_COMPLETE"
    assert reason in " ".join(failed.reasons)
    assert {fetch(url(web))["mode"] for _ in range(10)} == {"second"}


def test_a_service_without_the_right_to_its_secret_is_not_made(aws):
    failed = aws.deploy("noright", service(may_read=False))
    assert failed.status == "ROLLBACK_COMPLETE"
    reasons = " ".join(failed.reasons)
    assert "ResourceInitializationError" in reasons
    assert ":secret:noright-Key-" in reasons
    assert "assumed-role/noright-ExecutionRole-" in reasons


def test_a_deleted_service_leaves_no_task(aws, cloud):
    outputs = aws.deploy("shortlived", service()).outputs
    pid = fetch(url(outputs))["pid"]
    aws.remove("shortlived")
    until(lambda: not psutil.pid_exists(pid))
    with pytest.raises(urllib.error.URLError):
        until(lambda: fetch(url(outputs)), patience=1)


def test_status_lists_services_tasks_and_balancers(cloud, web):
    detail = cloud.status().detail
    entry = next(entry for entry in detail["services"] if entry["name"].startswith("web-"))
    assert (entry["desired"], entry["running"]) == (2, 2)
    listed = [task for task in detail["tasks"] if task["service"] == entry["name"] and task["status"] == "RUNNING"]
    assert {task["health"] for task in listed} == {"HEALTHY"}
    assert all(psutil.pid_exists(pid) for task in listed for pid in task["pids"])
    assert [balancer["ports"] for balancer in detail["load_balancers"] if balancer["address"] == web["Dns"]] == [[8080]]
