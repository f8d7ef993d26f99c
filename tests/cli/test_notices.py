"""What a blueprint says and this version does not do yet is told by `validate` and by synth, and stays valid."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from strandline.cli import app
from tests.stacks.projects import bedrock, blueprint, synthesise, write_project

BUDGET = {"max_usd": 5}
ENVIRONMENTS = {
    "simulation": {"account": "111111111111", "region": "us-east-1"},
    "production": {
        "account": "111111111111",
        "region": "eu-central-1",
        "tags": {f"tag{number}": "" for number in range(30)},
    },
}
GATEWAY = "https://tides-a1b2.gateway.bedrock-agentcore.eu-west-1.amazonaws.com/mcp"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes a project of these agents, and goes there."""

    def write(*agents):
        monkeypatch.chdir(tmp_path)
        return write_project(tmp_path, list(agents), ENVIRONMENTS)

    return write


def told(*arguments):
    done = CliRunner().invoke(app, ["validate", *arguments])
    return done.exit_code, done.output


def told_as_json(*arguments):
    return json.loads(told(*arguments, "--json")[1])


def test_what_is_not_obeyed_yet_is_told_at_its_line_and_the_blueprint_stays_valid(project):
    project(blueprint("tide", budget=BUDGET, gateway={"auth_type": "aws_iam"}))

    answer = told_as_json()

    assert (answer["valid"], answer["problems"]) == (True, [])
    assert [one["path"] for one in answer["notices"]] == ["budget", "gateway"]
    for notice in answer["notices"]:
        assert set(notice) == {"file", "line", "column", "path", "message", "hint"}
        assert notice["file"] == "blueprints/agents/tide.yaml"
        assert notice["hint"]


def test_people_read_the_notices_and_that_it_is_valid(project):
    project(blueprint("tide", budget=BUDGET))

    exit_code, output = told()

    assert exit_code == 0
    assert "notice: blueprints/agents/tide.yaml:2:3: budget: in simulation budget limits nothing" in output
    assert "valid: 1 blueprint" in output


def test_a_blueprint_that_is_obeyed_in_all_it_says_has_no_notices(project):
    project(blueprint("tide", tags=["coast"]))

    assert told_as_json() == {"valid": True, "problems": []}


def test_what_an_environment_adds_is_told_for_it_only(project):
    idle = {"auth_type": "aws_iam"}
    project(blueprint("tide", environments={"production": {"gateway": idle}}))

    assert "notices" not in told_as_json("--env", "simulation")
    (notice,) = told_as_json("--env", "production")["notices"]
    assert notice["path"] == "gateway"
    assert notice == told_as_json()["notices"][0]


def test_one_file_far_from_any_project_is_told_too(project):
    root = project(blueprint("tide", gateway={"auth_type": "aws_iam"}))
    (root / "environments.yaml").unlink()

    assert [one["path"] for one in told_as_json("blueprints/agents/tide.yaml")["notices"]] == ["gateway"]


def test_more_tags_than_aws_takes_with_those_of_the_environment_are_told(project):
    project(blueprint("tide", tags=[f"word{number}" for number in range(18)]))

    assert told_as_json("--env", "simulation")["valid"]
    (problem,) = told_as_json("--env", "production")["problems"]
    assert problem["path"] == "tags"
    assert problem["message"] == "in production: 18 tags, and the environment's leave room for 17"


@pytest.mark.parametrize("word", ["", "a,b", "Küste", "x" * 65])
def test_a_tag_that_aws_does_not_take_is_told(project, word):
    project(blueprint("tide", tags=[word]))

    (problem,) = told_as_json()["problems"]
    assert problem["path"] == "tags[0]"
    assert "letters, digits" in problem["hint"]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    """Agents that say more than others."""
    agents = [
        blueprint("plain"),
        blueprint("told", gateway={"auth_type": "aws_iam"}, budget=BUDGET),
        blueprint("tagged", tags=["coast", "customer service"]),
        bedrock("unseen", "anthropic.claude-sonnet-4-5-20250929-v1:0", observability={"enabled": False}),
        bedrock("signing", "anthropic.claude-sonnet-4-5-20250929-v1:0", gateway={"url": GATEWAY}),
        blueprint("token", gateway={"url": GATEWAY, "auth_type": "custom_jwt", "jwt_env_var": "GATEWAY_TOKEN"}),
    ]
    root = write_project(tmp_path_factory.mktemp("project"), agents, {"simulation": ENVIRONMENTS["simulation"]})
    return synthesise(root, tmp_path_factory.mktemp("assembly"))


def statements(assembly, agent):
    (policy,) = assembly.one(f"Simulation/Agent-{agent}", "AWS::IAM::Role")["Policies"]
    return {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}


def metadata(stack):
    return json.loads((stack["folder"] / stack["additionalMetadataFile"]).read_text())


def test_synth_tells_it_too_and_does_not_fail_where_warnings_do(assembly):
    said = {
        path: [
            (entry["type"], entry["data"])
            for entries in metadata(stack).values()
            for entry in entries
            if entry["type"].startswith(("aws:cdk:info", "aws:cdk:warning", "aws:cdk:error"))
        ]
        for path, stack in assembly.stacks.items()
    }

    assert said["Simulation/Agent-plain"] == []
    assert [kind for kind, _ in said["Simulation/Agent-told"]] == ["aws:cdk:info", "aws:cdk:info"]
    assert {text.split(": ")[1] for _, text in said["Simulation/Agent-told"]} == {"budget", "gateway"}


def test_tags_are_tags_of_the_runtime(assembly):
    tags = assembly.one("Simulation/Agent-tagged", "AWS::BedrockAgentCore::Runtime")["Tags"]

    assert {name for name in tags if name.startswith("strandline:tag:")} == {
        "strandline:tag:coast",
        "strandline:tag:customer service",
    }


def test_an_agent_that_is_not_observed_may_send_no_traces_and_no_metrics(assembly):
    assert {"Traces", "Metrics"} <= set(statements(assembly, "plain"))
    assert not {"Traces", "Metrics"} & set(statements(assembly, "unseen"))


def test_the_one_gateway_that_is_signed_for_may_be_invoked(assembly):
    arn = "arn:aws:bedrock-agentcore:eu-west-1:111111111111:gateway/tides-a1b2"

    allowed = statements(assembly, "signing")["ToolGateway"]
    assert (allowed["Action"], allowed["Resource"]) == (["bedrock-agentcore:InvokeGateway"], [arn])
    assert "ToolGateway" not in statements(assembly, "token")
    assert "GATEWAY_TOKEN" in str(statements(assembly, "token")["Secrets"])
