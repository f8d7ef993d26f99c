"""What checks new versions: what it may do, and the judge that stands where it reaches the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stacks.custom_resources.canary_records import WENT_BACK
from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.projects import blueprint, synthesise, text_of, write_project

if TYPE_CHECKING:
    from tests.stacks.projects import Assembly

FUNCTION, ROLE, GATE = "AWS::Lambda::Function", "AWS::IAM::Role", "Custom::StrandlineChecks"
TOPIC = "arn:aws:sns:us-east-1:111111111111:alarms"
JUDGED = {
    "checks": [{"name": "polite", "prompt": "Hello", "contains": ["hello"], "judge": "It is polite."}],
    "gate": {"judge_model": "demo", "repetitions": 3},
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """An agent whose answers are judged, where models are simulated and where they are not."""
    environments = {name: ENVIRONMENTS[name] for name in ("simulation", "staging")}
    canary = {"canary": {"share": "5%"}, "gateway": {"alarm_topic_arn": TOPIC}}
    environments["staging"] = {**environments["staging"], **canary}
    modes = {"execution_modes": {"simulation": True, "staging": True}}
    root = write_project(
        tmp_path_factory.mktemp("project"),
        [blueprint("tide", **JUDGED, **modes), blueprint("silent", observability={"enabled": False}, **modes)],
        environments,
    )
    return synthesise(root, tmp_path_factory.mktemp("assembly"))


def statements(assembly: Assembly, path: str, action: str) -> list[dict[str, object]]:
    return [
        statement
        for stack, _, role in assembly.resources(ROLE)
        if stack == path
        for policy in role["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if action in statement["Action"]
    ]


def plan_of(assembly: Assembly, path: str) -> dict[str, object]:
    plan: dict[str, object] = json.loads(assembly.one(path, GATE)["Plan"])
    return plan


def test_it_asks_the_agents_of_its_environment_and_only_adds_to_its_records(judged: Assembly) -> None:
    (asks,) = statements(judged, "Simulation/Checks", "bedrock-agentcore:InvokeAgentRuntime")
    assert text_of(asks["Resource"]).endswith(":runtime/simulation_*")
    (writes,) = statements(judged, "Simulation/Checks", "s3:PutObject")
    assert text_of(writes["Resource"]) == "<RecordBucket.Arn>/checks/*"
    for action in ("s3:GetObject", "s3:DeleteObject", "bedrock-agentcore:UpdateAgentRuntimeEndpoint", "iam:PassRole"):
        assert statements(judged, "Simulation/Checks", action) == []


def test_a_judge_is_there_where_models_answer_and_it_reads_one_key(judged: Assembly) -> None:
    functions = dict.fromkeys(("Simulation/Checks", "Staging/Checks"), 0)
    for stack, _, function in judged.resources(FUNCTION):
        if stack in functions:
            functions[stack] += 1
            if "GATEWAY_URL" in function["Properties"]["Environment"]["Variables"]:
                assert function["Properties"]["VpcConfig"]["SubnetIds"]

    assert functions == {"Simulation/Checks": 2, "Staging/Checks": 3}
    (reads,) = statements(judged, "Staging/Checks", "secretsmanager:GetSecretValue")
    assert text_of(reads["Resource"]).endswith(":secret:strandline/staging/LITELLM_MASTER_KEY-??????")
    assert len(statements(judged, "Staging/Checks", "lambda:InvokeFunction")) == 1


def test_in_simulation_nobody_judges_and_the_rest_is_held(judged: Assembly) -> None:
    simulated, real = plan_of(judged, "Simulation/Agent-tide"), plan_of(judged, "Staging/Agent-tide")

    assert simulated["checks"] == [{"name": "polite", "prompt": "Hello", "contains": ["hello"]}]
    assert (simulated["judge_model"], simulated["repetitions"]) == (None, 3)
    assert real["checks"] == JUDGED["checks"]
    assert real["judge_model"] == "demo"


def test_a_canary_watcher_moves_endpoints_of_its_environment_and_reads_what_they_log(judged: Assembly) -> None:
    own = "arn:aws:{}:us-east-1:111111111111:{}"
    rights = {
        "bedrock-agentcore:UpdateAgentRuntimeEndpoint": [own.format("bedrock-agentcore", "runtime/staging_*")],
        "logs:StartQuery": [own.format("logs", "log-group:/aws/bedrock-agentcore/runtimes/staging_*")],
        "ssm:GetParametersByPath": [own.format("ssm", "parameter/strandline/staging")],
        "ssm:PutParameter": [
            own.format("ssm", f"parameter/strandline/staging/*/{name}") for name in ("canary", "canary-end")
        ],
    }
    for action, resources in rights.items():
        (found,) = statements(judged, "Staging/Checks", action)
        named = found["Resource"] if isinstance(found["Resource"], list) else [found["Resource"]]
        assert [text_of(one) for one in named] == resources
    written = [text_of(one["Resource"]) for one in statements(judged, "Staging/Checks", "s3:PutObject")]
    assert "<RecordBucket.Arn>/canaries/*" in written
    for action in ("s3:GetObject", "bedrock-agentcore:UpdateAgentRuntime", "iam:PassRole", "ssm:GetParameterHistory"):
        assert statements(judged, "Staging/Checks", action) == []


def test_it_is_woken_each_minute_and_tells_only_where_canaries_are_wanted(judged: Assembly) -> None:
    rules = [rule["Properties"] for stack, _, rule in judged.resources("AWS::Events::Rule") if stack.endswith("Checks")]
    alarms = {
        one["Properties"]["MetricName"]: (stack, one["Properties"])
        for stack, _, one in judged.resources("AWS::CloudWatch::Alarm")
        if stack.endswith("Checks")
    }

    assert [rule["ScheduleExpression"] for rule in rules] == ["rate(1 minute)"]
    assert json.loads(rules[0]["Targets"][0]["Input"]) == {"Watch": "canaries"}
    assert alarms.keys() == {WENT_BACK, "Errors"}
    for stack, alarm in alarms.values():
        assert stack == "Staging/Checks"
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
        assert alarm["AlarmDescription"].endswith("(canaries, staging)")


def test_where_a_canary_is_wanted_it_says_what_live_and_previous_hold(judged: Assembly) -> None:
    def endpoints(path: str) -> dict[str, Any]:
        return {
            one["Properties"]["Name"]: one
            for stack, _, one in judged.resources("AWS::BedrockAgentCore::RuntimeEndpoint")
            if stack == path
        }

    canary = judged.one("Staging/Agent-tide", "Custom::StrandlineCanary")
    (begins,) = [name for stack, name, _ in judged.resources("Custom::StrandlineCanary") if stack.endswith("tide")]
    with_one, without = endpoints("Staging/Agent-tide"), endpoints("Simulation/Agent-tide")

    assert with_one.keys() == {"candidate", "canary", "live", "previous"}
    for name in ("live", "previous"):
        held = with_one[name]["Properties"]["AgentRuntimeVersion"]
        assert held == {"Fn::GetAtt": [begins, name.capitalize()]}
    newest = {"Fn::GetAtt": ["Runtime", "AgentRuntimeVersion"]}
    assert with_one["canary"]["Properties"]["AgentRuntimeVersion"] == canary["Version"] == newest
    assert without.keys() == endpoints("Staging/Agent-silent").keys() == {"candidate", "live", "previous"}
    assert without["live"]["Properties"]["AgentRuntimeVersion"] == newest
    assert json.loads(canary["Settings"])["share"] == 0.05


def test_the_endpoint_of_the_canary_moves_after_the_checks_and_before_it_begins(judged: Assembly) -> None:
    resources = judged.documents["Staging/Agent-tide"]["Resources"]
    by_type = {one["Type"]: name for name, one in resources.items()}
    (endpoint,) = [
        name for name, one in resources.items() if one["Properties"].get("Name") == "canary" and "DependsOn" in one
    ]

    assert by_type[GATE] in resources[endpoint]["DependsOn"]
    assert endpoint in resources[by_type["Custom::StrandlineCanary"]]["DependsOn"]
