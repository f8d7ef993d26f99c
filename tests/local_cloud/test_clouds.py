"""The life of a cloud: up, down, crash, persistence, several at once, and messages for what a person can mend."""

from __future__ import annotations

import json
import os
import signal
import socket

import psutil
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from agent_runtime.errors import EnvironmentFault, InputError
from strandline.local_cloud import orphans
from strandline.local_cloud.commands import app
from tests.local_cloud.cloud_clients import Clients, fetch, free_port, until, zipped
from tests.local_cloud.templates import agent, service

CANARY = "canary-3f9c1b7e5d"


def processes(cloud):
    return [psutil.Process(pid) for pid in orphans.find(cloud.paths.cloud_id)]


def start_something(url):
    """A task and a session; returns the outputs of both stacks."""
    aws = Clients(url)
    aws.s3.create_bucket(Bucket="code")
    aws.s3.put_object(Bucket="code", Key="agent.zip", Body=zipped("agent.py"))
    outputs = aws.deploy("web", service()).outputs, aws.deploy("agent", agent("kept")).outputs
    describe(aws, outputs[1])
    return aws, *outputs


def describe(aws, outputs):
    answer = aws.bedrock_agentcore.invoke_agent_runtime(agentRuntimeArn=outputs["Arn"], payload=b"{}")
    return json.loads(answer["response"].read())


def test_down_ends_everything_and_nothing_listens_beyond_loopback(make_cloud):
    cloud = make_cloud()
    cloud.up(free_port())
    start_something(cloud.url)
    running = processes(cloud)
    listening = [
        connection.laddr.ip
        for process in running
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    # The emulator, a balancer, a task and a session at the least.
    assert len(listening) >= 4
    assert all(address.startswith("127.") for address in listening)
    cloud.down()
    assert processes(cloud) == []
    assert not cloud.running()
    assert not cloud.status().running


def test_an_emulator_that_was_killed_leaves_no_process(make_cloud):
    cloud = make_cloud()
    cloud.up(free_port())
    start_something(cloud.url)
    os.kill(cloud.status().pid, signal.SIGKILL)
    until(lambda: not processes(cloud))


def test_down_finds_what_a_killed_emulator_and_its_watchdog_left(make_cloud):
    cloud = make_cloud()
    cloud.up(free_port())
    start_something(cloud.url)
    for process in processes(cloud):
        if "groups = set()" in " ".join(process.cmdline()):
            process.kill()
    os.kill(cloud.status().pid, signal.SIGKILL)
    assert len(processes(cloud)) >= 2
    assert cloud.down() >= 2
    assert processes(cloud) == []


def test_what_was_deployed_survives_when_asked(make_cloud):
    cloud = make_cloud()
    port = free_port()
    cloud.up(port, persist=True)
    aws, web, kept = start_something(cloud.url)
    value = aws.secretsmanager.get_secret_value(SecretId=web["Key"])["SecretString"]
    cloud.down()
    cloud.up(port, persist=True)
    aws = Clients(cloud.url)
    assert aws.secretsmanager.get_secret_value(SecretId=web["Key"])["SecretString"] == value
    assert describe(aws, kept)["mode"] == "good"
    assert until(lambda: answer(web))["environment"]["KEY"] == value
    assert aws.deploy("agent", agent("kept", mode="second"), update=True).outputs["Version"] == "2"
    cloud.down()
    cloud.up(port)
    assert Clients(cloud.url).cloudformation.describe_stacks()["Stacks"] == []
    cloud.down()


def answer(web):
    try:
        return fetch(f"http://{web['Dns']}:8080/x", timeout=2)
    except OSError:
        return None


def test_two_clouds_and_two_accounts_are_apart(make_cloud, cloud):
    other = make_cloud()
    other.up(free_port())
    second = Clients(other.url, account="111111111111")
    second.secretsmanager.create_secret(Name="apart", SecretString="x")
    for elsewhere in (Clients(other.url), Clients(cloud.url, account="111111111111")):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            elsewhere.secretsmanager.describe_secret(SecretId="apart")
    assert second.sts.get_caller_identity()["Arn"] == "arn:aws:iam::111111111111:root"
    other.down()
    assert cloud.running()


def test_up_again_is_the_same_cloud(cloud):
    pid = cloud.status().pid
    assert cloud.up() == cloud.url
    assert cloud.status().pid == pid
    with pytest.raises(InputError, match="runs at"):
        cloud.up(free_port())


def test_a_port_in_use_is_named_with_its_holder(make_cloud):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(
            EnvironmentFault, match=rf"port {port} is in use by .*process {os.getpid()}.*--port"
        ) as fault:
            make_cloud().up(port)
    assert "\n" not in str(fault.value)


def test_a_home_that_cannot_be_written_is_named(make_cloud):
    cloud = make_cloud()
    (cloud.paths.home / "cloud").write_text("in the way")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        cloud.up(free_port())


def test_an_emulator_that_ends_at_start_shows_its_last_lines(make_cloud):
    cloud = make_cloud(no_such_limit=1.0)
    with pytest.raises(EnvironmentFault, match=r"ended at start.*no_such_limit"):
        cloud.up(free_port())
    assert processes(cloud) == []


def test_no_secret_value_reaches_a_log_or_an_event(make_cloud):
    cloud = make_cloud()
    cloud.up(free_port())
    aws, web, _ = start_something(cloud.url)
    name = aws.secretsmanager.create_secret(Name="canary", SecretString=CANARY)["ARN"]
    aws.secretsmanager.put_secret_value(SecretId=name, SecretString=f"{CANARY}-2")
    aws.secretsmanager.get_secret_value(SecretId=name)
    aws.ssm.put_parameter(Name="/canary", Value=CANARY, Type="SecureString")
    generated = aws.secretsmanager.get_secret_value(SecretId=web["Key"])["SecretString"]
    aws.deploy("web", service("crash"), update=True)
    logs = "\n".join(cloud.logs())
    assert "started container" in logs
    events = json.dumps(aws.cloudformation.describe_stack_events(StackName="web")["StackEvents"], default=str)
    template = json.dumps(aws.cloudformation.get_template(StackName="web")["TemplateBody"])
    for text in (logs, events, template, json.dumps(cloud.status().as_dict())):
        assert CANARY not in text
        assert generated not in text
    cloud.down()


def test_last_words_that_hold_a_secret_are_masked_in_events(make_cloud):
    cloud = make_cloud()
    cloud.up(free_port())
    aws, *_ = start_something(cloud.url)
    said = "the handler cannot start"
    aws.secretsmanager.create_secret(Name="said", SecretString=json.dumps({"key": said}))
    failed = aws.deploy("crash", agent("crash", mode="crash"))
    assert "ended at start" in " ".join(failed.reasons)
    assert said not in " ".join(failed.reasons)
    cloud.down()


def test_the_commands_print_what_scripts_read(cloud, monkeypatch):
    monkeypatch.setenv("STRANDLINE_HOME", str(cloud.paths.home))
    runner = CliRunner()
    status = runner.invoke(app, ["status", "--json"])
    assert json.loads(status.stdout)["url"] == cloud.url
    printed = runner.invoke(app, ["env", "--account", "222222222222"]).stdout
    assert f"export AWS_ENDPOINT_URL={cloud.url}" in printed
    assert "export AWS_ACCESS_KEY_ID=222222222222" in printed
    assert "unset AWS_PROFILE" in printed
    assert runner.invoke(app, ["env", "--account", "12"]).exit_code == 1
    assert "emulator: " in runner.invoke(app, ["logs", "emulator", "-n", "3"]).stdout


def test_commands_of_a_cloud_that_is_down(tmp_path):
    runner = CliRunner()
    home = ["--home", str(tmp_path)]
    assert runner.invoke(app, ["status", *home]).exit_code == 2
    assert runner.invoke(app, ["env", *home]).exit_code == 2
    assert runner.invoke(app, ["down", "--quiet", *home]).output == ""
