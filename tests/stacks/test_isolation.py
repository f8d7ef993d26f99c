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
MASTER_KEY, SALT_KEY, ENVIRONMENT_KEY = "LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "STRANDLINE_GATEWAY_KEY"
LONGEST = "x" * 32
KEYLESS = ("a", "only-simulation", LONGEST)
"""Agents of the gateway whose blueprints name no key: they get one of the gateway's."""
NAMED: dict[str, set[str]] = {
    **{name: set() for name in KEYLESS},
    "a-b": {"KEY"},
    "a-c": {"KEY_2"},
    "ab": {"KEY2", "KEY_2_HEADER"},
    "direct": {"KEY", "HEADER_VALUE"},
    "lite": {"LITE_KEY"},
    "private": set(),
    "rock": set(),
    "rock-profile": set(),
}
"""What each agent's blueprint names, written by hand: a rule that both sides shared could be wrong on both."""
ELSEWHERE = ("direct", "lite", "private", "rock", "rock-profile")
"""Agents whose model is not behind the gateway, except in simulation."""
MANAGED = ("Staging", "Production")


def needs(stage: str, agent: str) -> set[str]:
    """The variables whose secrets an agent reads in an environment."""
    if stage == "Simulation" and agent in ELSEWHERE:
        return {ENVIRONMENT_KEY}
    if agent not in KEYLESS:
        return NAMED[agent]
    return {f"GATEWAY_KEY_{agent.upper().replace('-', '_')}"} if stage in MANAGED else {ENVIRONMENT_KEY}


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

    assert by_stage["Local"] == set(NAMED)
    assert by_stage["Production"] == set(NAMED) - {"only-simulation"}
    assert len({(agent.account, agent.region, agent.runtime_name) for agent in agents}) == len(agents)
    assert len({(agent.stage, agent.bundle) for agent in agents}) == len(agents)


def test_a_role_reads_exactly_the_secrets_that_its_blueprint_names(agents: list[Agent]) -> None:
    read = {variable for agent in agents for variable in needs(agent.stage, agent.name)}
    variables = read | {MASTER_KEY, SALT_KEY, "OPENAI_API_KEY", "KEY_", "KEY_22", "GATEWAY_KEY_", "GATEWAY_KEY_A_B"}
    places = {(owner.stage, owner.region, owner.account): owner for owner in agents}.values()
    for reader, owner, variable in product(agents, places, variables):
        is_own = reader.stage == owner.stage and variable in needs(reader.stage, reader.name)
        can = reader.may("secretsmanager:GetSecretValue", owner.secret_arn(variable))
        assert can == is_own, (reader.stage, reader.name, owner.stage, variable)


def test_a_role_reads_secrets_in_one_call_only_if_it_reads_any_and_never_lists_them(agents: list[Agent]) -> None:
    for agent in agents:
        reads_any = bool(needs(agent.stage, agent.name))
        assert agent.may("secretsmanager:BatchGetSecretValue", "*") == reads_any, agent.name
        # Without it the call takes names only, no filter that could find out which secrets there are.
        assert not agent.may("secretsmanager:ListSecrets", "*")
        assert not agent.may("secretsmanager:GetSecretValue", "*")


def test_a_role_changes_no_secret(agents: list[Agent]) -> None:
    for agent, variable in product(agents, ("KEY", MASTER_KEY, "GATEWAY_KEY_A")):
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


OWNERS = {
    "Simulation": "us-east-1:111111111111",
    "Staging": "us-east-1:111111111111",
    "Production": "eu-central-1:222222222222",
}


def readers(assembly: Assembly, stage: str, variable: str) -> set[str]:
    """The roles that read a secret: their stack and their logical id's beginning."""
    arn = f"arn:aws:secretsmanager:{OWNERS[stage]}:secret:strandline/{stage.lower()}/{variable}-AbC123"
    return {
        f"{path.partition('/')[2]}/{name[:4]}"
        for path, name, role in assembly.resources(ROLE, f"{stage}/")
        if allows(policies_of(role), Request("secretsmanager:GetSecretValue", arn))
    }


@pytest.mark.parametrize("stage", OWNERS)
def test_nobody_reads_the_master_key_but_the_gateway_and_what_mints_keys(assembly: Assembly, stage: str) -> None:
    minting = {"Gateway/Keys"} if stage in MANAGED else set()

    assert readers(assembly, stage, MASTER_KEY) == {"Gateway/Task"} | minting


@pytest.mark.parametrize("stage", MANAGED)
def test_an_agents_key_is_read_by_the_agent_alone_and_the_salt_by_the_gateway(assembly: Assembly, stage: str) -> None:
    assert readers(assembly, stage, "GATEWAY_KEY_A") == {"Agent-a/Exec"}
    assert readers(assembly, stage, SALT_KEY) == {"Gateway/Task"}


@pytest.mark.parametrize(("stage", "readable"), [("Simulation", set()), ("Production", {"OPENAI_API_KEY"})])
def test_the_gateway_reads_its_providers_keys_and_no_agents(assembly: Assembly, stage: str, readable: set[str]) -> None:
    keys = {"OPENAI_API_KEY", "GATEWAY_KEY_A"}.union(*NAMED.values())

    assert {key for key in keys if "Gateway/Task" in readers(assembly, stage, key)} == readable


def deployment_role(assembly: Assembly, stage: str, name: str) -> tuple[Document, ...]:
    ((_, _, role),) = [one for one in assembly.resources(ROLE, f"{stage}/Gateway") if one[1].startswith(name)]
    return policies_of(role)


@pytest.mark.parametrize("stage", MANAGED)
def test_what_mints_keys_writes_agents_keys_and_can_do_nothing_else(assembly: Assembly, stage: str) -> None:
    policies = deployment_role(assembly, stage, "KeysFunction")
    prefix = f"arn:aws:secretsmanager:{OWNERS[stage]}:secret:strandline/{stage.lower()}"

    def may(action: str, resource: str, **context: str) -> bool:
        return allows(
            policies, Request(action, resource, {key.replace("_", ":"): value for key, value in context.items()})
        )

    assert may("secretsmanager:PutSecretValue", f"{prefix}/GATEWAY_KEY_A-AbC123")
    assert may("secretsmanager:DescribeSecret", f"{prefix}/GATEWAY_KEY_A-AbC123")
    assert not may("secretsmanager:GetSecretValue", f"{prefix}/GATEWAY_KEY_A-AbC123")
    # A staged key is tried before an agent gets it; one in use is read by its agent alone.
    for stage_of_version, is_staged in (("AWSPENDING", True), ("AWSCURRENT", False), ("AWSPREVIOUS", False)):
        named = {"secretsmanager_VersionStage": stage_of_version}
        assert may("secretsmanager:GetSecretValue", f"{prefix}/GATEWAY_KEY_A-AbC123", **named) is is_staged
    for other in (MASTER_KEY, SALT_KEY, "KEY", "OPENAI_API_KEY"):
        assert not may("secretsmanager:PutSecretValue", f"{prefix}/{other}-AbC123")
    for action in ("DeleteSecret", "UpdateSecret", "PutResourcePolicy", "ListSecrets"):
        assert not may(f"secretsmanager:{action}", f"{prefix}/GATEWAY_KEY_A-AbC123")
    # Lambda makes the network interfaces by this role, and the code that runs with it does not.
    own = {"lambda_SourceFunctionArn": f"arn:aws:lambda:{OWNERS[stage]}:function:any"}
    assert may("ec2:CreateNetworkInterface", "*")
    assert not may("ec2:CreateNetworkInterface", "*", **own)
    actions = {
        action
        for document in policies
        for statement in as_list(document["Statement"])
        for action in as_list(statement["Action"])
    }
    assert {action.partition(":")[0] for action in actions} <= {"secretsmanager", "logs", "ec2", "kms"}


@pytest.mark.parametrize("stage", MANAGED)
def test_what_migrates_runs_one_task_in_one_cluster_and_reads_no_secret(assembly: Assembly, stage: str) -> None:
    policies = deployment_role(assembly, stage, "MigrationFunction")
    cluster = next(name for _, name, _ in assembly.resources("AWS::ECS::Cluster", f"{stage}/Gateway"))
    definitions = list(assembly.resources("AWS::ECS::TaskDefinition", f"{stage}/Gateway"))
    (family,) = [one["Properties"]["Family"] for _, name, one in definitions if name.startswith("Migration")]
    (other,) = [one["Properties"]["Family"] for _, name, one in definitions if not name.startswith("Migration")]

    def may_run(task: str, where: str) -> bool:
        arn = f"arn:aws:ecs:{OWNERS[stage]}:task-definition/{task}:7"
        return allows(policies, Request("ecs:RunTask", arn, {"ecs:cluster": where}))

    assert may_run(family, f"<{cluster}.Arn>")
    assert not may_run(family, "arn:aws:ecs:us-east-1:1:cluster/other")
    assert not may_run(other, f"<{cluster}.Arn>")
    assert "GetSecretValue" not in str(policies)
    passed = [one for document in policies for one in document["Statement"] if one["Action"] == "iam:PassRole"]
    assert len(passed) == 1
    assert passed[0]["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_a_statement_over_all_resources_names_only_actions_that_know_none(assembly: Assembly) -> None:
    without_resources = {
        *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
        "cloudwatch:PutMetricData",
        "secretsmanager:BatchGetSecretValue",
        # Of a function inside the VPC, for Lambda itself; the function is denied them.
        *(f"ec2:{action}NetworkInterface" for action in ("Create", "Delete")),
        *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
        *("ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
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
                assert re.fullmatch(r"arn:aws:s3:::[a-z0-9-]+/([0-9a-f]{64}\.(zip|json|yaml)|bundles/\w+/\*)", resource)


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
