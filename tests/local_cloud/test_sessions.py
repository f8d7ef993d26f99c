"""Invocations and sessions: one process for each, with the runtime's environment and the role's rights."""

from __future__ import annotations

import json
import uuid

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.local_cloud.cloud_clients import Clients, until
from tests.local_cloud.templates import READ_CODE, WRITE_LOGS, agent

ALLOWED = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Colour"


@pytest.fixture(scope="module")
def runtime(aws, code):
    lifecycle = {"IdleRuntimeSessionTimeout": 28800, "MaxLifetime": 28800}
    template = agent(
        "sessions",
        LifecycleConfiguration=lifecycle,
        RequestHeaderConfiguration={"RequestHeaderAllowlist": [ALLOWED]},
    )
    return aws.deploy("sessions", template).outputs


def invoke(aws, arn, body=None, session=None, **more):
    names = {"runtimeSessionId": session} if session else {}
    payload = json.dumps(body or {}).encode()
    return aws.bedrock_agentcore.invoke_agent_runtime(
        agentRuntimeArn=arn, payload=payload, contentType="application/json", **names, **more
    )


def describe(aws, arn, session=None, **more):
    return json.loads(invoke(aws, arn, session=session, **more)["response"].read())


def new_session():
    return f"session-{uuid.uuid4()}"


def test_a_session_is_a_process_of_its_own_and_keeps_it(aws, runtime):
    one, other = new_session(), new_session()
    first = describe(aws, runtime["Arn"], one)
    assert describe(aws, runtime["Arn"], one)["pid"] == first["pid"]
    assert describe(aws, runtime["Arn"], other)["pid"] != first["pid"]


def test_a_session_id_is_made_when_none_is_given(aws, runtime):
    answer = invoke(aws, runtime["Arn"])
    assert len(answer["runtimeSessionId"]) >= 33


def test_a_short_session_id_is_refused(aws, runtime):
    # The client's own check is switched off: the service's is what is tested.
    client = aws.bedrock_agentcore
    client.meta.events.register_first("before-call", lambda params, **_: params["headers"].update(_short()))
    try:
        with pytest.raises(ClientError) as refused:
            invoke(aws, runtime["Arn"], session=new_session())
    finally:
        aws._clients.clear()
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def _short():
    return {"X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "short"}


def test_the_environment_is_the_runtimes_and_nothing_of_the_operators(aws, runtime, monkeypatch):
    environment = describe(aws, runtime["Arn"])["environment"]
    assert set(environment) == {
        "MODE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "HOME",
        "LANG",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "STRANDLINE_HOST",
        "STRANDLINE_PORT",
        "STRANDLINE_LOCAL_CLOUD",
    } | ({"LC_CTYPE"} & set(environment))


def test_listed_headers_pass_and_the_callers_credentials_do_not(aws, runtime):
    client = aws.bedrock_agentcore
    extra = {ALLOWED: "green", "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Shape": "round"}
    client.meta.events.register_first(
        "before-sign.*", lambda request, **_: [request.headers.add_header(*item) for item in extra.items()] and None
    )
    try:
        answer = invoke(
            aws,
            runtime["Arn"],
            accept="text/event-stream",
            runtimeUserId="someone",
            traceId="Root=1-2-3",
            baggage="a=b",
        )
        headers = json.loads(answer["response"].read())["headers"]
    finally:
        aws._clients.clear()
    assert headers["x-amzn-bedrock-agentcore-runtime-custom-colour"] == "green"
    assert "x-amzn-bedrock-agentcore-runtime-custom-shape" not in headers
    assert "authorization" not in headers
    assert headers["accept"] == "text/event-stream"
    assert headers["x-amzn-bedrock-agentcore-runtime-user-id"] == "someone"
    assert (headers["x-amzn-trace-id"], headers["baggage"]) == ("Root=1-2-3", "a=b")
    assert headers["x-amzn-bedrock-agentcore-runtime-session-id"] == answer["runtimeSessionId"]


def test_a_stream_comes_piece_by_piece(aws, runtime, tmp_path):
    gate = tmp_path / "gate"
    answer = invoke(aws, runtime["Arn"], {"do": "stream", "gate": str(gate)})
    assert answer["contentType"] == "text/event-stream"
    raw = answer["response"]._raw_stream
    # The code sends the next piece only after this test has the one before: nothing can have been held back.
    for number in range(3):
        assert raw.read1() == b"data: %d\n\n" % number
        (tmp_path / f"gate{number + 1}").touch()
    assert raw.read() == b""


def test_a_client_that_goes_away_breaks_the_connection_to_the_code(aws, runtime, tmp_path):
    note = tmp_path / "note"
    answer = invoke(aws, runtime["Arn"], {"do": "endless", "note": str(note)})
    answer["response"]._raw_stream.read1()
    answer["response"].close()
    until(note.exists)


def test_an_error_of_the_code_is_a_runtime_client_error(aws, runtime):
    with pytest.raises(aws.bedrock_agentcore.exceptions.RuntimeClientError, match=r"Received error \(500\)"):
        invoke(aws, runtime["Arn"], {"do": "fail"})


def test_a_process_that_died_is_started_again(aws, runtime):
    session = new_session()
    first = describe(aws, runtime["Arn"], session)["pid"]
    with pytest.raises(aws.bedrock_agentcore.exceptions.RuntimeClientError):
        invoke(aws, runtime["Arn"], {"do": "exit"}, session=session)
    assert describe(aws, runtime["Arn"], session)["pid"] != first


def test_a_stopped_session_is_gone(aws, runtime):
    session = new_session()
    pid = describe(aws, runtime["Arn"], session)["pid"]
    stop = {"agentRuntimeArn": runtime["Arn"], "runtimeSessionId": session, "qualifier": "DEFAULT"}
    aws.bedrock_agentcore.stop_runtime_session(**stop)
    assert not psutil.pid_exists(pid)
    with pytest.raises(aws.bedrock_agentcore.exceptions.ResourceNotFoundException):
        aws.bedrock_agentcore.stop_runtime_session(**stop)


def test_a_running_session_keeps_its_version(aws, code):
    arn = aws.deploy(
        "pinned", agent("pinned", LifecycleConfiguration={"MaxLifetime": 28800, "IdleRuntimeSessionTimeout": 28800})
    ).outputs["Arn"]
    session = new_session()
    assert describe(aws, arn, session)["mode"] == "good"
    more = {"LifecycleConfiguration": {"MaxLifetime": 28800, "IdleRuntimeSessionTimeout": 28800}}
    aws.deploy("pinned", agent("pinned", mode="second", **more), update=True)
    assert describe(aws, arn, session)["mode"] == "good"
    assert describe(aws, arn, new_session())["mode"] == "second"
    assert describe(aws, arn, new_session(), qualifier="live")["mode"] == "good"
    aws.remove("pinned")
    with pytest.raises(aws.bedrock_agentcore.exceptions.ResourceNotFoundException):
        describe(aws, arn, session)


@pytest.mark.parametrize(
    "lifecycle", [{"IdleRuntimeSessionTimeout": 60}, {"MaxLifetime": 60, "IdleRuntimeSessionTimeout": 60}]
)
def test_an_idle_session_ends(aws, code, lifecycle):
    name = f"idle{len(lifecycle)}"
    arn = aws.deploy(name, agent(name, LifecycleConfiguration=lifecycle)).outputs["Arn"]
    pid = describe(aws, arn)["pid"]
    until(lambda: not psutil.pid_exists(pid))


def test_a_busy_session_does_not_end_before_its_lifetime(aws, cloud, code):
    lifecycle = {"IdleRuntimeSessionTimeout": 60, "MaxLifetime": 300}
    arn = aws.deploy("busy", agent("busy", mode="busy", LifecycleConfiguration=lifecycle)).outputs["Arn"]
    pid = describe(aws, arn)["pid"]
    seen = []
    until(lambda: seen.append(psutil.pid_exists(pid)) or not seen[-1])
    # Idle time ends at 0.6 s on this cloud, the lifetime at 3 s; a look takes 0.05 s.
    assert len(seen) > 30


def test_the_code_has_its_roles_rights_and_no_others(aws, cloud, code):
    mine = aws.secretsmanager.create_secret(Name="mine", SecretString="value-of-mine")["ARN"]
    other = aws.secretsmanager.create_secret(Name="other", SecretString="value-of-other")["ARN"]
    read = {"Action": "secretsmanager:GetSecretValue", "Resource": mine}
    outputs = aws.deploy("rights", agent("rights", statements=(READ_CODE, WRITE_LOGS, read))).outputs
    given = json.loads(invoke(aws, outputs["Arn"], {"do": "credentials"})["response"].read())
    inside = Clients(
        cloud.url,
        credentials={
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["Token"],
        },
    )
    role_name = outputs["Role"].rsplit("/", 1)[1]
    assert f":assumed-role/{role_name}/" in inside.sts.get_caller_identity()["Arn"]
    assert inside.secretsmanager.get_secret_value(SecretId=mine)["SecretString"] == "value-of-mine"
    with pytest.raises(ClientError) as denied:
        inside.secretsmanager.get_secret_value(SecretId=other)
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
    assert role_name in str(denied.value)
    assert "secretsmanager:GetSecretValue" in str(denied.value)
    with pytest.raises(ClientError, match="InvokeAgentRuntime"):
        invoke(inside, outputs["Arn"])
    with pytest.raises(ClientError, match="StopRuntimeSession"):
        inside.bedrock_agentcore.stop_runtime_session(agentRuntimeArn=outputs["Arn"], runtimeSessionId=new_session())


def test_the_output_is_in_the_log_group_of_the_endpoint_and_in_a_file(aws, cloud, runtime):
    session = new_session()
    note = uuid.uuid4().hex
    invoke(aws, runtime["Arn"], {"note": note}, session=session)
    group = f"/aws/bedrock-agentcore/runtimes/{runtime['Id']}-DEFAULT"

    def lines():
        found = aws.logs.filter_log_events(logGroupName=group, filterPattern="described")["events"]
        return [event["message"] for event in found if note in event["message"]]

    assert until(lines) == [f"described {note}"]
    assert any(note in line for line in cloud.logs(session))


def test_status_lists_sessions_and_stacks(aws, cloud, runtime):
    session = new_session()
    pid = describe(aws, runtime["Arn"], session)["pid"]
    status = cloud.status()
    listed = next(entry for entry in status.detail["sessions"] if entry["session_id"] == session)
    assert (listed["pid"], listed["runtime"], listed["version"]) == (pid, runtime["Id"], "1")
    assert {"account": "000000000000", "name": "sessions", "status": "CREATE_COMPLETE"} in status.detail["stacks"]
