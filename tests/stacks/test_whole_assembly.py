"""What holds for every stack of every environment."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.stacks.conftest import BOUNDARY_ARN
from tests.stacks.projects import ROOT, Assembly, synthesise, text_of, write_project

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "AWS::IAM::Role"
NAMES = {
    "AWS::SecretsManager::Secret": "Name",
    "AWS::BedrockAgentCore::Runtime": "AgentRuntimeName",
    "AWS::Logs::LogGroup": "LogGroupName",
    ROLE: "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ECS::TaskDefinition": "Family",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
}


def physical_names(assembly: Assembly) -> Counter[tuple[str, ...]]:
    """Every name that must be unique in its account and region."""
    found: Counter[tuple[str, ...]] = Counter()
    for path, stack in assembly.stacks.items():
        where = stack["environment"]
        found[where, "stack", stack["properties"].get("stackName", path.replace("/", "-"))] += 1
        document = assembly.documents[path]
        for output in document.get("Outputs", {}).values():
            if "Export" in output:
                found[where, "export", output["Export"]["Name"]] += 1
        for resource in document["Resources"].values():
            name = resource.get("Properties", {}).get(NAMES.get(resource["Type"], ""))
            if name is not None:
                runtime = document["Resources"].get("Runtime", {}).get("Properties", {}).get("AgentRuntimeName", "")
                found[where, resource["Type"], text_of(name).replace("<Runtime.AgentRuntimeId>", runtime)] += 1
    return found


def test_two_environments_of_one_account_and_region_share_no_name(assembly: Assembly) -> None:
    found = physical_names(assembly)

    assert assembly.stacks["Simulation/Secrets"]["environment"] == assembly.stacks["Staging/Secrets"]["environment"]
    assert len(found) > 150
    assert [name for name, times in found.items() if times > 1] == []


def test_every_role_is_taken_for_this_account_and_this_kind_of_resource_only(assembly: Assembly) -> None:
    roles = [*assembly.resources(ROLE)]
    services = ("bedrock-agentcore", "ecs-tasks", "vpc-flow-logs")
    for service in services:
        assert f"{service}.amazonaws.com" in str(roles)
    for path, name, role in roles:
        account, region = assembly.stacks[path]["environment"].removeprefix("aws://").split("/")
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            if statement["Principal"]["Service"] == "lambda.amazonaws.com":
                # Lambda tells no source; who may give the role to a function is who may pass it, in this account.
                assert "Function" in name
                continue
            assert statement["Principal"]["Service"].removesuffix(".amazonaws.com") in services
            condition = statement["Condition"]
            assert condition["StringEquals"]["aws:SourceAccount"] == account, (path, name)
            source = condition["ArnLike"]["aws:SourceArn"]
            assert re.fullmatch(rf"arn:aws:[a-z0-9-]+:{region}:{account}:.+", source), (path, name)


@pytest.mark.parametrize(
    ("stage", "boundary"),
    [
        ("Local", None),
        ("Simulation", "arn:aws:iam::111111111111:policy/Boundary"),
        ("Staging", None),
        ("Production", BOUNDARY_ARN),
    ],
)
def test_a_permissions_boundary_is_on_every_role(assembly: Assembly, stage: str, boundary: str | None) -> None:
    roles = [*assembly.resources(ROLE, f"{stage}/")]

    assert {role["Properties"].get("PermissionsBoundary") for _, _, role in roles} == {boundary}
    assert len(roles) > 10


def test_every_stack_carries_the_environments_tags(assembly: Assembly) -> None:
    for path, stack in assembly.stacks.items():
        tags = stack["properties"]["tags"]
        assert tags["strandline:environment"] == path.partition("/")[0].lower()
        assert tags.get("team") == ("agents" if path.startswith("Simulation/") else None)


def test_execution_modes_decide_which_agents_an_environment_has(assembly: Assembly) -> None:
    """An environment named local runs in the execution mode simulation."""
    having = {path.partition("/")[0] for path in assembly.stacks if path.endswith("/Agent-only-simulation")}

    assert having == {"Local", "Simulation"}


def test_synth_says_who_is_left_out_and_why(project: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_project(project, [], {"production": {"account": "222222222222", "region": "us-east-1"}})
    for name in ("a", "b"):
        file = project / "blueprints" / "agents" / f"{name}.yaml"
        file.write_text(file.read_text().replace("production: true", "production: false"))

    synthesise(project, tmp_path / "out")

    assert "Production leaves out a, b: execution_modes.production is false" in capfd.readouterr().err


def test_stacks_are_deployed_after_those_that_they_use(assembly: Assembly) -> None:
    def needs(path: str) -> set[str]:
        own = assembly.stacks[path]
        siblings = {id_: stack["displayName"].partition("/")[2] for id_, stack in ids(assembly, path).items()}
        return {siblings[id_] for id_ in own["dependencies"] if id_ in siblings}

    assert needs("Simulation/Gateway") == {"Network", "Secrets"}
    assert needs("Simulation/Agent-a") == {"Checks", "Gateway", "Secrets"}
    assert needs("Simulation/Agent-direct") == {"Checks", "Gateway", "Secrets"}
    assert needs("Staging/Agent-private") == {"Checks", "Network", "Secrets"}
    assert needs("Staging/Agent-direct") == {"Checks", "Secrets"}


def ids(assembly: Assembly, path: str) -> dict[str, Any]:
    artifacts: dict[str, Any] = json.loads((assembly.stacks[path]["folder"] / "manifest.json").read_text())["artifacts"]
    return {id_: artifact for id_, artifact in artifacts.items() if artifact["type"] == "aws:cloudformation:stack"}


def test_templates_are_well_below_cloudformations_limits(assembly: Assembly) -> None:
    for path, document in assembly.documents.items():
        assert len(json.dumps(document)) < 1_000_000, path
        assert len(document["Resources"]) < 450, path


def test_nothing_was_looked_up_in_aws(assembly: Assembly) -> None:
    for manifest in assembly.folder.glob("**/manifest.json"):
        assert "missing" not in json.loads(manifest.read_text())
    for path, document in assembly.documents.items():
        assert "dummy1a" not in json.dumps(document), path


def test_all_agents_of_one_dependency_set_upload_one_zip(assembly: Assembly) -> None:
    keys = {
        resource["Properties"]["AgentRuntimeArtifact"]["CodeConfiguration"]["Code"]["S3"]["Prefix"]
        for _, _, resource in assembly.resources("AWS::BedrockAgentCore::Runtime")
    }
    assert len(keys) == 1
    assert keys < {path.name.removeprefix("asset.") for path in assembly.folder.glob("*.zip")}


def acknowledgements(assembly: Assembly) -> dict[str, set[str]]:
    """Every finding of cdk-nag that is accepted, to the reasons that are given for it."""
    found: dict[str, set[str]] = {}
    for file in assembly.folder.glob("**/*.metadata.json"):
        for entries in json.loads(file.read_text()).values():
            for entry in entries:
                if entry["type"] == "aws:cdk:acknowledged-rules":
                    for rule, reason in entry["data"].items():
                        if "AwsSolutions-" in rule:
                            found.setdefault(rule, set()).add(reason)
    return found


def test_findings_are_acknowledged_one_by_one_and_with_a_reason(assembly: Assembly) -> None:
    for rule, reasons in acknowledgements(assembly).items():
        assert all(len(reason) >= 20 and reason.endswith(".") for reason in reasons), rule
        # A bare IAM5 would accept every wildcard that anybody adds.
        assert not rule.endswith("IAM5"), rule


def test_the_documentation_lists_every_acknowledgement_and_no_other(assembly: Assembly) -> None:
    given = {reason for reasons in acknowledgements(assembly).values() for reason in reasons}
    document = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| `[^`]+`[^|]*\| [^|]+ \| ([^|]+) \|$", document, re.MULTILINE)

    assert {row.strip() for row in rows} == given
