"""From blueprints that the test wrote to an answer through `InvokeAgentRuntime`, on real parts all the way."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from strandline.toolchain import node_bin
from tests.e2e.conftest import AGENTS, GENERATED, ROOT, STACKS, VARIABLES
from tests.e2e.load import load_on
from tests.support.openai_server import Reply

pytestmark = pytest.mark.e2e


def _text(events):
    return "".join(
        event["event"].get("contentBlockDelta", {}).get("delta", {}).get("text", "")
        for event in events
        if "event" in event
    )


def test_direct_agent_sends_what_its_blueprint_says(project):
    # When
    events = project.invoke("direct", "Say something.")
    # Then the answer came in Converse stream events and ended with our own
    assert _text(events)
    assert events[-1]["result"] == {"role": "assistant", "content": [{"text": _text(events)}]}
    assert (events[-1]["agent"], events[-1]["version"]) == ("direct", "1.2.3")
    # And this arrived
    request = project.provider.requests[-1]
    assert request.path == "/v1/chat/completions"
    assert request.header("authorization") == f"Bearer {project.canaries['DIRECT_API_KEY']}"
    assert request.header("cf-access-client-id") == project.canaries["ACCESS_CLIENT_ID"]
    assert request.header("cf-access-client-secret") == project.canaries["ACCESS_CLIENT_SECRET"]
    assert request.body["model"] == "my-org/claude-fable"
    assert request.body["temperature"] == 0.3
    assert request.body["max_tokens"] == 321
    assert _system_prompt(request) == "You answer in one sentence.\n"


def test_routed_agent_reaches_the_provider_through_the_gateway(project):
    # When
    events = project.invoke("routed", "Say something.")
    # Then
    assert _text(events)
    told = events[-1]["model"]
    assert (told["requested"], told["answered"], told["fallback"]) == ("house-model", "openai/gpt-4.1-mini", False)
    assert events[-1]["cost_usd"] > 0
    request = project.provider.requests[-1]
    assert request.path == "/v1/chat/completions"
    assert request.header("authorization") == f"Bearer {project.canaries['PROVIDER_API_KEY']}"
    assert (request.body["model"], request.body["temperature"], request.body["max_tokens"]) == ("gpt-4.1-mini", 0.7, 99)


def test_plain_answer_is_one_json_object(project):
    answer = project.invoke("direct", "Say something.", stream=False)
    assert answer["result"]["role"] == "assistant"
    assert answer["result"]["content"][0]["text"]
    assert answer["usage"]["total_tokens"] == answer["usage"]["input_tokens"] + answer["usage"]["output_tokens"]


def test_session_remembers_and_another_does_not(project):
    session = "a-session-of-at-least-thirty-three-characters"
    project.invoke("direct", "My name is Ada.", session=session)
    project.invoke("direct", "What is my name?", session=session)
    remembered = json.dumps(project.provider.requests[-1].body["messages"])
    assert "My name is Ada." in remembered
    project.invoke("direct", "What is my name?")
    assert "Ada" not in json.dumps(project.provider.requests[-1].body["messages"])


def test_agent_of_another_execution_mode_is_left_out_and_synth_says_so(project):
    names = [one["agentRuntimeName"] for one in _runtimes(project)]
    assert sorted(names) == [f"local_{name.replace('-', '_')}" for name in AGENTS]
    log = (project.home / "logs" / "cdk-synth-local.log").read_text()
    assert "Local leaves out later: execution_modes.staging is false" in log


def test_deploying_again_changes_nothing(project):
    # Given
    before = {one["agentRuntimeName"]: one["agentRuntimeVersion"] for one in _runtimes(project)}
    # When
    again = project.deploy()
    # Then
    assert again.returncode == 0, again.stderr
    assert "Deploying the secrets" not in again.stderr
    log = (project.home / "logs" / "cdk-deploy-local.log").read_text()
    assert log.count("(no changes)") == len(STACKS), log
    assert {one["agentRuntimeName"]: one["agentRuntimeVersion"] for one in _runtimes(project)} == before


def test_plain_cdk_deploys_without_the_command_line(project):
    """`strandline local env` points the CDK CLI at the cloud; the rest is `cdk deploy` as anybody types it."""
    exports = dict(re.findall(r"^export (\w+)=(\S+)$", project.run("local", "env").stdout, re.MULTILINE))
    assert exports["AWS_ENDPOINT_URL"] == project.cloud.url
    inputs = [f"environments={project.folder / 'environments.yaml'}", f"blueprints={project.folder / 'blueprints'}"]
    done = subprocess.run(
        [str(ROOT / "node_modules/.bin/cdk"), "deploy", "Local/*", "--require-approval", "never", "--no-color"]
        + [part for value in (*inputs, "environment=local") for part in ("-c", value)]
        + ["--output", str(project.home / "plain.cdk.out")],
        cwd=ROOT,
        env={
            **os.environ,
            **{name: value.strip("'") for name, value in exports.items()},
            "PATH": _path_with_node(),
            "STRANDLINE_HOME": str(project.home),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    project.printed += [done.stdout, done.stderr]
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("(no changes)") == len(STACKS)


def test_changed_prompt_makes_a_new_version_of_its_agent_alone_and_a_new_agent_comes_beside(project):
    # Given
    before = {one["agentRuntimeName"]: int(one["agentRuntimeVersion"]) for one in _runtimes(project)}
    blueprint = project.folder / "blueprints" / "agents" / "direct.yaml"
    (project.folder / "blueprints" / "prompts" / "other.md").write_text("You answer in two sentences.\n")
    blueprint.write_text(blueprint.read_text().replace("prompt_ref: plain", "prompt_ref: other"))
    later = project.folder / "blueprints" / "agents" / "later.yaml"
    later.write_text(later.read_text().replace("staging: false", "staging: true") + JUDGED)
    project.provider.script("gpt-4.1", Reply(text='{"passes": true}'))
    # When
    done = project.deploy()
    # Then
    assert done.returncode == 0, done.stderr
    after = {one["agentRuntimeName"]: int(one["agentRuntimeVersion"]) for one in _runtimes(project)}
    assert after == before | {"local_direct": before["local_direct"] + 1, "local_later": 1}
    project.invoke("direct", "Say something.")
    assert _system_prompt(project.provider.requests[-1]) == "You answer in two sentences.\n"
    assert _text(project.invoke("later", "Say something."))
    # And a model of the gateway has judged the new agent's answer
    (verdict,) = [one.body["messages"] for one in project.provider.requests if one.body.get("model") == "gpt-4.1"]
    assert json.loads(verdict[-1]["content"])["criterion"] == "The answer is polite."
    (record,) = json.loads(project.run("history", "later", "--env", "local", "--json").stdout)["versions"]
    assert record["checks"] == "passed"


JUDGED = """\
gate: {judge_model: judge}
checks: [{name: polite, prompt: Good morning, judge: The answer is polite.}]
"""


def test_rollback_gives_callers_the_version_before_by_one_update_while_they_ask(project):
    # Given the version of the changed prompt, and the one before behind `previous`
    endpoints = _endpoints(project)
    assert int(endpoints["live"]["liveVersion"]) == int(endpoints["previous"]["liveVersion"]) + 1
    # When
    with load_on(project, ("direct",)) as load:
        done = project.run("rollback", "direct", "--env", "local", "--json")
        events = project.invoke("direct", "Say something.")
    # Then
    assert done.returncode == 0, done.stderr
    assert load.failed == []
    assert _text(events)
    asked = [one for one in project.provider.requests if _system_prompt(one) == "You answer in one sentence.\n"]
    assert "Say something." in json.dumps(asked[-1].body)
    told, after = json.loads(done.stdout), _endpoints(project)
    assert (told["from"], told["to"]) == (endpoints["live"]["liveVersion"], endpoints["previous"]["liveVersion"])
    # And nothing but `live` was touched
    changed = [name for name, one in after.items() if one["lastUpdatedAt"] != endpoints[name]["lastUpdatedAt"]]
    assert changed == ["live"]
    # And it is told as drift until a deployment says otherwise, and a rollback can be taken back
    drift = project.run("drift", "--env", "local", "--json")
    assert [(one["kind"], one["place"]) for one in json.loads(drift.stdout)["drift"]] == [("live", "direct")]
    assert drift.returncode == 1
    forward = project.run("rollback", "direct", "--env", "local", "--to", told["from"])
    assert forward.returncode == 0, forward.stderr
    history = json.loads(project.run("history", "direct", "--env", "local", "--json").stdout)["versions"]
    assert [one["version"] for one in history if "live" in one["endpoints"]] == [told["from"]]
    assert {one["checks"] for one in history} == {"passed"}


def test_checks_run_alone_and_say_how_it_went(project):
    # Given an agent whose tree has checks that its deployed version was never asked
    blueprint = project.folder / "blueprints" / "agents" / "routed.yaml"
    good, report = blueprint.read_text(), project.folder / "junit.xml"
    blueprint.write_text(
        good + "checks:\n- {name: costs, prompt: Hello, max_cost_usd: 1, max_iterations: 1}\n"
        "- {name: names-the-sea, prompt: Hello, contains: [no such word]}\n"
    )
    # When
    done = project.run("checks", "run", "routed", "--env", "local", "--json", "--junit", str(report))
    blueprint.write_text(good)
    # Then
    assert done.returncode == 1
    cases = {case["name"]: case for case in json.loads(done.stdout)["cases"]}
    assert [name for name, case in cases.items() if case["passed"]] == ["starts", "costs"]
    assert cases["costs"]["cost_usd"] > 0
    assert cases["names-the-sea"]["reasons"] == ["the answer does not hold 'no such word'"]
    assert 'tests="3" failures="1"' in report.read_text()


def test_role_without_a_secret_fails_by_the_names_of_secret_and_role(project):
    # Given the agent's role lost its right to one secret
    iam = project.client("iam")
    stack = project.client("cloudformation").describe_stack_resources(StackName="Local-Agent-direct")
    role = next(one["PhysicalResourceId"] for one in stack["StackResources"] if one["ResourceType"] == "AWS::IAM::Role")
    policy = iam.get_role_policy(RoleName=role, PolicyName="Agent")["PolicyDocument"]
    secrets = next(one for one in policy["Statement"] if one.get("Sid") == "Secrets")
    kept = [arn for arn in secrets["Resource"] if "ACCESS_CLIENT_SECRET" not in arn]
    assert len(kept) == len(secrets["Resource"]) - 1
    narrowed = {
        **policy,
        "Statement": [{**one, "Resource": kept} if one is secrets else one for one in policy["Statement"]],
    }
    iam.put_role_policy(RoleName=role, PolicyName="Agent", PolicyDocument=json.dumps(narrowed))
    try:
        # When
        requests = len(project.provider.requests)
        events = project.invoke("direct", "Say something.")
        told = project.run("invoke", "direct", "--env", "local", "Say something.")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="Agent", PolicyDocument=json.dumps(policy))
    # Then
    error = events[-1]["error"]
    assert error["type"] == "secret_unavailable"
    assert "strandline/local/ACCESS_CLIENT_SECRET" in error["message"]
    assert role in error["message"]
    assert set(error) == {"type", "message", "id"}
    assert told.returncode == 1
    assert "strandline/local/ACCESS_CLIENT_SECRET" in told.stderr
    assert "Traceback" not in told.stderr
    assert len(project.provider.requests) == requests
    # And with the right back the agent answers again
    assert _text(project.invoke("direct", "Say something."))


def test_invoke_prints_one_object(project):
    done = project.run("invoke", "routed", "--env", "local", "--json", "Say something.")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    fields = ("text", "structured", "agent", "version", "session_id", "model", "usage", "cost_usd", "latency_ms")
    assert tuple(answer) == fields
    assert (answer["agent"], answer["structured"]) == ("routed", None)


def test_status_tells_what_runs(project):
    done = project.run("status", "--env", "local", "--json")
    told = json.loads(done.stdout)
    assert {name.removeprefix("Local-") for name in told["stacks"]} == {*STACKS, "Agent-later"}
    assert all(agent["live"] == agent["version"] for agent in told["agents"])
    assert told["gateway"]["runningCount"] == told["gateway"]["desiredCount"] == 1
    month = told["usage"]["routed"]
    assert month["invocations"] > 0
    assert month["cost_usd"] > 0
    assert told["secrets"] == dict.fromkeys((*VARIABLES, *GENERATED), True)


def test_unknown_agent_and_session_are_said_in_one_line(project):
    for arguments, said in (
        (("invoke", "nobody", "--env", "local", "Hello"), "'nobody' is not deployed in local"),
        (("invoke", "direct", "--env", "local", "--session", "short", "Hello"), "33 to 256 characters"),
        (("secrets", "set", "NO_SUCH_NAME", "--env", "local"), "has no secret strandline/local/NO_SUCH_NAME"),
    ):
        done = project.run(*arguments, stdin="some-value")
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def _system_prompt(request):
    first = request.body["messages"][0]
    # A question whether a key works has none, and the judge's is no list of blocks.
    has_blocks = first["role"] == "system" and isinstance(first["content"], list)
    return "".join(block["text"] for block in first["content"]) if has_blocks else ""


def _path_with_node():
    return f"{node_bin()}{os.pathsep}{os.environ['PATH']}"


def _endpoints(project):
    arn = project.runtime_arn("direct")
    client = project.client("bedrock-agentcore-control")
    found = client.list_agent_runtime_endpoints(agentRuntimeId=arn.rpartition("/")[2])["runtimeEndpoints"]
    return {one["name"]: one for one in found}


def _runtimes(project):
    return project.client("bedrock-agentcore-control").list_agent_runtimes()["agentRuntimes"]
