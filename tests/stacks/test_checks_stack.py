"""What checks new versions: what it may do, and the judge that stands where it reaches the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.projects import blueprint, synthesise, text_of, write_project

if TYPE_CHECKING:
    from tests.stacks.projects import Assembly

FUNCTION, ROLE, GATE = "AWS::Lambda::Function", "AWS::IAM::Role", "Custom::StrandlineChecks"
JUDGED = {
    "checks": [{"name": "polite", "prompt": "Hello", "contains": ["hello"], "judge": "It is polite."}],
    "gate": {"judge_model": "demo", "repetitions": 3},
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """An agent whose answers are judged, where models are simulated and where they are not."""
    environments = {name: ENVIRONMENTS[name] for name in ("simulation", "staging")}
    modes = {"execution_modes": {"simulation": True, "staging": True}}
    root = write_project(tmp_path_factory.mktemp("project"), [blueprint("tide", **JUDGED, **modes)], environments)
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

    assert functions == {"Simulation/Checks": 1, "Staging/Checks": 2}
    (reads,) = statements(judged, "Staging/Checks", "secretsmanager:GetSecretValue")
    assert text_of(reads["Resource"]).endswith(":secret:strandline/staging/LITELLM_MASTER_KEY-??????")
    assert len(statements(judged, "Staging/Checks", "lambda:InvokeFunction")) == 1


def test_in_simulation_nobody_judges_and_the_rest_is_held(judged: Assembly) -> None:
    simulated, real = plan_of(judged, "Simulation/Agent-tide"), plan_of(judged, "Staging/Agent-tide")

    assert simulated["checks"] == [{"name": "polite", "prompt": "Hello", "contains": ["hello"]}]
    assert (simulated["judge_model"], simulated["repetitions"]) == (None, 3)
    assert real["checks"] == JUDGED["checks"]
    assert real["judge_model"] == "demo"
