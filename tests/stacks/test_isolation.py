"""No agent reaches what is another's: every role against everything that every other agent has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from tests.stacks.iam import Document, Request, allows, as_list
from tests.stacks.projects import Assembly, text_of

ROLE, SECRET, RUNTIME = "AWS::IAM::Role", "AWS::SecretsManager::Secret", "AWS::BedrockAgentCore::Runtime"
MASTER_KEY = "LITELLM_MASTER_KEY"
NEEDS = {
    "a": {MASTER_KEY},
    "a-b": {"KEY"},
    "a-c": {"KEY_2"},
    "ab": {"KEY2", "KEY_2_HEADER"},
    "direct": {"KEY", "HEADER_VALUE"},
    "lite": {"LITE_KEY"},
    "private": set(),
    "only-simulation": {MASTER_KEY},
    "x" * 32: {MASTER_KEY},
    "rock": set(),
    "rock-profile": set(),
}
"""What each agent's blueprint names, written by hand: a rule that both sides shared could be wrong on both."""


@dataclass(frozen=True)
class Agent:
    """A deployed agent: its role's policies and what is its own."""

    stage: str
    name: str
    policies: tuple[Document, ...]
    trust: Document
    runtime_name: str
    account: str
    region: str
    bundle: str

    @property
    def runtime_id(self) -> str:
        return f"{self.runtime_name}-0aZ9bY8cX7"

    @property
    def bundle_arn(self) -> str:
        return self.bundle.replace("s3://", "arn:aws:s3:::")

    def log_group_arn(self, endpoint: str) -> str:
        name = f"/aws/bedrock-agentcore/runtimes/{self.runtime_id}-{endpoint}"
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{name}"

    def secret_arn(self, variable: str) -> str:
        name = f"strandline/{self.stage.lower()}/{variable}"
        return f"arn:aws:secretsmanager:{self.region}:{self.account}:secret:{name}-AbC123"

    def may(self, action: str, resource: str) -> bool:
        return allows(self.policies, Request(action, resource))


def resolved(document: Any) -> Any:
    """A policy with CloudFormation's functions written out as text."""
    if isinstance(document, list):
        return [resolved(item) for item in document]
    if not isinstance(document, dict):
        return document
    if len(document) == 1 and next(iter(document)).startswith(("Fn::", "Ref")):
        return text_of(document)
    return {key: resolved(value) for key, value in document.items()}


def policies_of(role: dict[str, Any]) -> tuple[Document, ...]:
    properties = role["Properties"]
    assert "ManagedPolicyArns" not in properties
    return tuple(resolved(policy["PolicyDocument"]) for policy in properties.get("Policies", []))


@pytest.fixture(scope="session")
def agents(assembly: Assembly) -> list[Agent]:
    found = []
    for path, _, role in assembly.resources(ROLE):
        stage, _, name = path.partition("/Agent-")
        if not name:
            continue
        _, account, region = re.fullmatch(r"(aws)://(\d+)/(.+)", assembly.stacks[path]["environment"]).groups()  # type: ignore[union-attr]
        runtime = assembly.one(path, RUNTIME)
        found.append(
            Agent(
                stage=stage,
                name=name,
                policies=policies_of(role),
                trust=role["Properties"]["AssumeRolePolicyDocument"],
                runtime_name=runtime["AgentRuntimeName"],
                account=account,
                region=region,
                bundle=runtime["EnvironmentVariables"]["STRANDLINE_BUNDLE"],
            )
        )
    return found


def test_the_agents_are_those_that_this_test_knows(agents: list[Agent]) -> None:
    by_stage = {stage: {agent.name for agent in agents if agent.stage == stage} for stage in ("Local", "Production")}

    assert by_stage["Local"] == set(NEEDS)
    assert by_stage["Production"] == set(NEEDS) - {"only-simulation"}
    assert len({(agent.account, agent.region, agent.runtime_name) for agent in agents}) == len(agents)
    assert len({(agent.stage, agent.bundle) for agent in agents}) == len(agents)


def test_a_role_reads_exactly_the_secrets_that_its_blueprint_names(agents: list[Agent]) -> None:
    variables = {variable for needs in NEEDS.values() for variable in needs} | {"OPENAI_API_KEY", "KEY_", "KEY_22"}
    for reader, owner, variable in product(agents, agents, variables):
        is_own = reader.stage == owner.stage and variable in NEEDS[reader.name]
        can = reader.may("secretsmanager:GetSecretValue", owner.secret_arn(variable))
        assert can == is_own, (reader.stage, reader.name, owner.stage, variable)


def test_a_role_reads_secrets_in_one_call_only_if_it_reads_any_and_never_lists_them(agents: list[Agent]) -> None:
    for agent in agents:
        assert agent.may("secretsmanager:BatchGetSecretValue", "*") == bool(NEEDS[agent.name]), agent.name
        # Without it the call takes names only, no filter that could find out which secrets there are.
        assert not agent.may("secretsmanager:ListSecrets", "*")
        assert not agent.may("secretsmanager:GetSecretValue", "*")


def test_a_role_changes_no_secret(agents: list[Agent]) -> None:
    for agent, variable in product(agents, ("KEY", MASTER_KEY)):
        for action in ("PutSecretValue", "DeleteSecret", "UpdateSecret", "PutResourcePolicy", "RotateSecret"):
            assert not agent.may(f"secretsmanager:{action}", agent.secret_arn(variable))


def test_a_role_reads_its_own_bundle_and_no_other(agents: list[Agent]) -> None:
    for reader, owner in product(agents, agents):
        is_own = reader.bundle_arn == owner.bundle_arn
        assert reader.may("s3:GetObject", owner.bundle_arn) == is_own, (reader.name, owner.name)


def test_a_role_can_neither_list_nor_write_the_asset_bucket(agents: list[Agent]) -> None:
    for agent in agents:
        bucket, _, _ = agent.bundle_arn.partition("/")
        assert not agent.may("s3:ListBucket", bucket)
        assert not agent.may("s3:PutObject", agent.bundle_arn)
        assert not agent.may("s3:GetObject", f"{bucket}/{'0' * 64}.json")


@pytest.mark.parametrize("endpoint", ["live", "DEFAULT"])
def test_a_role_writes_its_own_log_groups_and_no_other(agents: list[Agent], endpoint: str) -> None:
    for writer, owner in product(agents, agents):
        is_own = (writer.stage, writer.name) == (owner.stage, owner.name)
        group = owner.log_group_arn(endpoint)
        assert writer.may("logs:PutLogEvents", f"{group}:log-stream:runtime-logs") == is_own, (writer.name, owner.name)
        assert writer.may("logs:CreateLogStream", f"{group}:log-stream:runtime-logs") == is_own


def test_no_role_reads_logs(agents: list[Agent]) -> None:
    for agent, owner in product(agents, agents):
        group = owner.log_group_arn("live")
        for action in ("GetLogEvents", "FilterLogEvents", "StartQuery", "DeleteLogGroup"):
            assert not agent.may(f"logs:{action}", group)
            assert not agent.may(f"logs:{action}", f"{group}:log-stream:runtime-logs")


def test_only_the_agents_own_runtime_can_take_its_role(agents: list[Agent]) -> None:
    for taker, owner in product(agents, agents):
        arn = f"arn:aws:bedrock-agentcore:{taker.region}:{taker.account}:runtime/{taker.runtime_id}"
        request = Request(
            "sts:AssumeRole",
            context={"aws:SourceAccount": taker.account, "aws:SourceArn": arn},
            service="bedrock-agentcore.amazonaws.com",
        )
        is_own = (taker.stage, taker.name) == (owner.stage, owner.name)
        assert allows([owner.trust], request) == is_own, (taker.name, owner.name)


def test_no_role_of_an_environment_reads_a_secret_of_another(assembly: Assembly) -> None:
    secrets = []
    for path, _, secret in assembly.resources(SECRET):
        account, region = assembly.stacks[path]["environment"].removeprefix("aws://").split("/")
        name = secret["Properties"]["Name"]
        secrets.append((path.split("/")[0], f"arn:aws:secretsmanager:{region}:{account}:secret:{name}-AbC123"))
    for path, name, role in assembly.resources(ROLE):
        for stage, arn in secrets:
            if stage != path.split("/")[0]:
                request = Request("secretsmanager:GetSecretValue", arn)
                assert not allows(policies_of(role), request), (path, name, arn)


@pytest.mark.parametrize(
    ("stage", "owner"), [("Simulation", "us-east-1:111111111111"), ("Production", "eu-central-1:222222222222")]
)
def test_the_gateway_reads_its_providers_keys_and_its_own_and_no_agents(
    assembly: Assembly, stage: str, owner: str
) -> None:
    documents = [
        document for _, _, role in assembly.resources(ROLE, f"{stage}/Gateway") for document in policies_of(role)
    ]
    prefix = f"arn:aws:secretsmanager:{owner}:secret:strandline/{stage.lower()}/"
    variables = {MASTER_KEY, "OPENAI_API_KEY", *(variable for needs in NEEDS.values() for variable in needs)}

    readable = {
        variable
        for variable in variables
        if allows(documents, Request("secretsmanager:GetSecretValue", f"{prefix}{variable}-AbC123"))
    }

    assert readable == {MASTER_KEY, "OPENAI_API_KEY"}


def test_a_statement_over_all_resources_names_only_actions_that_know_none(assembly: Assembly) -> None:
    without_resources = {
        *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
        "cloudwatch:PutMetricData",
        "secretsmanager:BatchGetSecretValue",
    }
    for statement in statements(assembly):
        if "*" in as_list(statement["Resource"]):
            actions = set(as_list(statement["Action"]))
            assert actions <= without_resources
            if "cloudwatch:PutMetricData" in actions:
                assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "bedrock-agentcore"}}


def test_no_statement_allows_actions_by_wildcard(assembly: Assembly) -> None:
    for statement in statements(assembly):
        for action in as_list(statement["Action"]):
            assert "*" not in action


def test_no_statement_names_a_whole_bucket(assembly: Assembly) -> None:
    for statement in statements(assembly):
        for resource in as_list(statement["Resource"]):
            if resource.startswith("arn:aws:s3:::"):
                assert re.fullmatch(r"arn:aws:s3:::[a-z0-9-]+/[0-9a-f]{64}\.(zip|json|yaml)", resource)


def statements(assembly: Assembly) -> list[dict[str, Any]]:
    """Every statement of every policy of every template, trust aside."""
    found = [
        statement
        for _, _, role in assembly.resources(ROLE)
        for policy in policies_of(role)
        for statement in as_list(policy["Statement"])
    ]
    for _, _, policy in assembly.resources("AWS::IAM::Policy"):
        found += as_list(resolved(policy["Properties"]["PolicyDocument"])["Statement"])
    assert len(found) > 100
    return found
