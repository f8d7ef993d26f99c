"""Bad releases, each bad in its own way, while callers ask: `live` stays where it is, nobody sees a failure, and the
report says why in its first line. Runs late in its folder: what is rolled back leaves versions behind."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from strandline.failure_report import explain_failure
from tests.e2e.load import load_on
from tests.local_cloud.cloud_clients import until

pytestmark = pytest.mark.e2e

ASKED = ("direct", "routed", "company-proxy", "cloudflare")


@pytest.fixture(scope="module")
def bad_releases(project):
    """All of them, under load; gives the load, the reports by agent, and `live` before and after."""
    before = live_versions(project)
    blueprint = project.folder / "blueprints" / "agents" / "tides.yaml"
    good = blueprint.read_text()
    with load_on(project, ASKED) as load:
        blueprint.write_text(good + 'checks: [{name: names-the-sea, prompt: Hello, contains: ["no such word"]}]\n')
        reports = {"tides": project.deploy()}
        blueprint.write_text(good)
        for agent, spoil in SPOILERS.items():
            update(project, agent, spoil)
        reasons = {agent: until(lambda agent=agent: settled(project, agent), 120) for agent in SPOILERS}
    return load, reports["tides"], reasons, before, live_versions(project)


def update(project, agent, spoil):
    """Gives a stack a template that is bad in one place: what `cdk deploy` would send."""
    client, stack = project.client("cloudformation"), f"Local-Agent-{agent}"
    template = client.get_template(StackName=stack)["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    client.update_stack(
        StackName=stack, TemplateBody=json.dumps(spoil(project, template)), Capabilities=["CAPABILITY_NAMED_IAM"]
    )


def settled(project, agent):
    """The first line of the report, as the CDK CLI's lines make it, once the stack is at rest."""
    client, stack = project.client("cloudformation"), f"Local-Agent-{agent}"
    status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    if status.endswith("IN_PROGRESS"):
        return None
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    lines = [
        f"{stack} | 1/1 | 1:00:00 PM | {event['ResourceStatus']} | {event['ResourceType']} | "
        f"Local/{event['LogicalResourceId']} ({event['LogicalResourceId']}) {event['ResourceStatusReason']}"
        for event in events
        if event["ResourceStatus"] == "UPDATE_FAILED" and event.get("ResourceStatusReason")
    ]
    return explain_failure(lines)[0]


def resource(template, kind):
    return next((name, one) for name, one in template["Resources"].items() if one["Type"] == kind)


def without_its_bundle(_, template):
    """Ends at its start: the bundle that it is told of is not there."""
    text = json.dumps(template)
    (sha256,) = set(re.findall(r"/([0-9a-f]{64})\.json", text))
    return json.loads(text.replace(sha256, "0" * 64))


def with_a_key_that_is_not_there(_, template):
    name, _ = resource(template, "AWS::IAM::Role")
    _, runtime = resource(template, "AWS::BedrockAgentCore::Runtime")
    variables = json.dumps(runtime["Properties"]["EnvironmentVariables"])
    other = variables.replace(
        '"STRANDLINE_GATEWAY_KEY": "STRANDLINE_GATEWAY_KEY"', '"STRANDLINE_GATEWAY_KEY": "NO_SUCH_KEY"'
    )
    assert other != variables
    text = json.dumps(template).replace(variables, other).replace(variables[1:-1], other[1:-1])
    return json.loads(text.replace(name, "ExecutionRole11111111").replace("/STRANDLINE_GATEWAY_KEY-", "/NO_SUCH_KEY-"))


def without_a_right(_, template):
    """Its role may not read secrets: rights are a role's own, so it is another role."""
    name, role = resource(template, "AWS::IAM::Role")
    statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements[:] = [one for one in statements if one["Sid"] != "Secrets"]
    return json.loads(json.dumps(template).replace(name, "ExecutionRole00000000"))


def with_a_model_that_is_not_there(project, template):
    _, runtime = resource(template, "AWS::BedrockAgentCore::Runtime")
    bucket, _, key = (
        runtime["Properties"]["EnvironmentVariables"]["STRANDLINE_BUNDLE"].removeprefix("s3://").partition("/")
    )
    store = project.client("s3")
    bundle = json.loads(store.get_object(Bucket=bucket, Key=key)["Body"].read())
    bundle["blueprint"]["model"]["model_id"] = "fault-404"
    content = json.dumps(bundle, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    other, own = hashlib.sha256(content).hexdigest(), key.rpartition("/")[2].removesuffix(".json")
    store.put_object(Bucket=bucket, Key=key.replace(own, other), Body=content)
    _, gate = resource(template, "Custom::StrandlineChecks")
    plan = json.loads(gate["Properties"]["Plan"]) | {"checks": [{"name": "answers", "prompt": "Hello", "regex": "."}]}
    gate["Properties"]["Plan"] = json.dumps(plan)
    return json.loads(json.dumps(template).replace(own, other))


SPOILERS = {
    "cloudflare": without_its_bundle,
    "routed": with_a_key_that_is_not_there,
    "company-proxy": without_a_right,
    "direct": with_a_model_that_is_not_there,
}


def live_versions(project):
    client = project.client("bedrock-agentcore-control")
    found = {}
    for runtime in client.list_agent_runtimes()["agentRuntimes"]:
        endpoints = client.list_agent_runtime_endpoints(agentRuntimeId=runtime["agentRuntimeId"])["runtimeEndpoints"]
        found[runtime["agentRuntimeName"]] = {one["name"]: one["liveVersion"] for one in endpoints}
    return found


def test_nobody_saw_a_failure_and_live_was_not_moved(bad_releases):
    load, _, _, before, after = bad_releases
    assert load.failed == []
    assert load.answered > 40
    assert {name: at["live"] for name, at in after.items()} == {name: at["live"] for name, at in before.items()}


def test_a_failed_check_is_the_first_line_of_the_deployments_report(bad_releases):
    _, report, *_ = bad_releases
    assert report.returncode == 1
    (first,) = [line for line in report.stderr.splitlines() if line.startswith("error:")]
    assert re.match(
        r"error: Local-Agent-tides: version \d+ of tides in local did not pass, and `live` was not mo", first
    )
    assert "check 'names-the-sea' failed, 0 of 1 runs passed: the answer does not hold 'no such word'" in first


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("cloudflare", "did not start"),
        ("routed", "strandline/local/NO_SUCH_KEY"),
        ("company-proxy", "strandline/local/LITELLM_API_KEY"),
        ("direct", "answered with HTTP status 404"),
    ],
)
def test_the_first_line_says_what_is_wrong_with_a_release(bad_releases, agent, told):
    reasons = bad_releases[2]
    assert reasons[agent].startswith(f"Local-Agent-{agent}: ")
    assert told in reasons[agent]
