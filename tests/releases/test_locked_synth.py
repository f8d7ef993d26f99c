"""What staging and production synthesise: their lock, whatever the working tree has become."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import yaml

from agent_runtime.errors import InputError
from stacks.environments import load_environments
from stacks.project import load_project
from stacks.releases.project import gateway_facts, released_project
from stacks.releases.store import ReleaseFolder
from strandline.gateway_config import compiled_config
from strandline.releases.candidates import origin_in_tree, require_order
from strandline.releases.lock import save_bundle, save_lock
from tests.releases.releases import entry, lock
from tests.stacks.projects import blueprint, synthesise, write_project

ACCOUNT = {"account": "111111111111", "region": "us-east-1"}
ENVIRONMENTS = {
    "simulation": ACCOUNT,
    "staging": {**ACCOUNT, "releases": "locked", "gateway": {"profile": "stateless"}},
    "production": {"account": "222222222222", "region": "us-east-1", "releases": "locked"},
}
RELEASED = "a" * 64


def released(root, agents, environment="staging"):
    """Locks an environment on what the tree has now, as a promotion would."""
    environments = load_environments(root / "environments.yaml")
    folder = ReleaseFolder.beside(root / "environments.yaml")
    tree = load_project(root / "blueprints")
    here, there = environments["simulation"], environments[environment]
    entries = {}
    for agent in tree.agents:
        if agent.blueprint.id not in agents:
            continue
        origin = origin_in_tree(agent, here, there, [])
        for content in origin.contents:
            save_bundle(folder, content, "json")
        pinned = origin.onward[environment]
        entries[origin.agent] = entry(pinned.bundle, artefact=RELEASED, variables=dict(pinned.variables))
    pinned = lock(environment, **entries)
    settings = save_bundle(folder, (root / "blueprints" / "gateway.yaml").read_bytes(), "yaml")
    facts = gateway_facts(tree.gateway, there, tree.agents_of(there))
    gateway = pinned.gateway.model_copy(
        update={"settings": settings, "configuration": facts.configuration, "image": facts.image}
    )
    save_lock(folder, pinned.with_entries({}, gateway))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Staging is locked on two agents; then the tree moves on."""
    root = tmp_path_factory.mktemp("project")
    overlay = {"staging": {"model": {"temperature": 0.9}}}
    first = blueprint("first", environments=overlay, runtime={"environment": {"LEVEL": "1"}})
    write_project(root, [first, blueprint("second")], ENVIRONMENTS)
    released(root, {"first", "second"})
    (root / "blueprints" / "prompts" / "first.md").write_text("You have moved on.\n")
    document = yaml.safe_load((root / "blueprints" / "agents" / "second.yaml").read_text())
    document["version"] = "2.0.0"
    (root / "blueprints" / "agents" / "second.yaml").write_text(yaml.safe_dump(document))
    write_project(root, [blueprint("third", model_api_key_env="THIRD_KEY")], ENVIRONMENTS)
    return root


@pytest.fixture(scope="module")
def assembly(root, tmp_path_factory):
    return synthesise(root, tmp_path_factory.mktemp("assembly"))


def test_the_lock_decides_what_is_there(assembly, root):
    agents = {path for path in assembly.stacks if "/Agent-" in path}
    assert {path for path in agents if path.startswith("Staging/")} == {"Staging/Agent-first", "Staging/Agent-second"}
    assert {path for path in agents if path.startswith("Production/")} == set()
    assert {path for path in agents if path.startswith("Simulation/")} == {
        "Simulation/Agent-first",
        "Simulation/Agent-second",
        "Simulation/Agent-third",
    }
    assert "Staging/Releases" in assembly.stacks
    assert "Production/Releases" in assembly.stacks
    assert "Simulation/Releases" not in assembly.stacks


def test_a_runtime_points_at_the_promoted_bytes(assembly, root):
    folder = ReleaseFolder.beside(root / "environments.yaml")
    pinned = folder.lock("staging").agents["first"]
    runtime = assembly.one("Staging/Agent-first", "AWS::BedrockAgentCore::Runtime")
    code = runtime["AgentRuntimeArtifact"]["CodeConfiguration"]
    assert code["Runtime"] == "PYTHON_3_13"
    assert code["Code"]["S3"] == {
        "Bucket": "strandline-releases-staging-111111111111-us-east-1",
        "Prefix": f"artefacts/{RELEASED}.zip",
    }
    variables = runtime["EnvironmentVariables"]
    assert variables["STRANDLINE_BUNDLE"].endswith(f"/{pinned.bundle}.json")
    assert variables["LEVEL"] == "1"
    tags = assembly.one("Staging/Agent-second", "AWS::BedrockAgentCore::Runtime")["Tags"]
    assert tags["strandline:version"] == "1.0.0"
    kept = json.loads(folder.read(pinned.bundle, "json", "test"))
    assert kept["blueprint"]["model"]["temperature"] == 0.9
    assert kept["prompt"]["text"] == "You are Agent first.\n"
    (asset,) = assembly.folder.glob(f"**/asset.{pinned.bundle}.json")
    assert asset.read_bytes() == folder.file(pinned.bundle, "json").read_bytes()


def test_the_execution_role_reads_the_one_promoted_artefact(assembly):
    role = json.dumps(assembly.one("Staging/Agent-first", "AWS::IAM::Role"))
    assert f"arn:aws:s3:::strandline-releases-staging-111111111111-us-east-1/artefacts/{RELEASED}.zip" in role


def test_the_release_bucket_is_versioned_encrypted_private_and_written_once(assembly):
    bucket = assembly.one("Staging/Releases", "AWS::S3::Bucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rule = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    statements = assembly.one("Staging/Releases", "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Deny"}
    denied = {str(statement["Action"]): statement.get("Condition") for statement in statements}
    assert denied == {
        "s3:*": {"Bool": {"aws:SecureTransport": "false"}},
        "s3:PutObject": {"Null": {"s3:if-none-match": "true"}},
        "['s3:DeleteObject', 's3:DeleteObjectVersion']": None,
    }
    assert assembly.stacks["Staging/Releases"]["properties"]["terminationProtection"] is True


def test_secrets_of_an_agent_exist_before_its_first_promotion(assembly):
    names = {one["Properties"]["Name"] for _, _, one in assembly.resources("AWS::SecretsManager::Secret", "Staging/")}
    assert "strandline/staging/THIRD_KEY" in names


def test_synth_says_whose_release_is_missing_and_what_promotes_it(root, tmp_path, capfd):
    synthesise(root, tmp_path / "out", only="staging")
    said = capfd.readouterr().err
    assert "Staging leaves out third:" in said
    assert "releases/staging.yaml names no release of it; `strandline promote` does." in said


def copied(root, tmp_path):
    shutil.copytree(root, tmp_path / "copy")
    return tmp_path / "copy"


def refused(root):
    environments = load_environments(root / "environments.yaml")
    folder = ReleaseFolder.beside(root / "environments.yaml")
    with pytest.raises(InputError) as caught:
        released_project(load_project(root / "blueprints"), environments["staging"], folder)
    return str(caught.value)


def test_a_bundle_with_another_byte_is_refused(root, tmp_path):
    root = copied(root, tmp_path)
    folder = ReleaseFolder.beside(root / "environments.yaml")
    bundle = folder.file(folder.lock("staging").agents["first"].bundle, "json")
    bundle.write_bytes(bundle.read_bytes().replace(b"Agent first", b"Agent worst"))
    said = refused(root)
    assert said.startswith(f"{bundle}:1:1: is not what ")
    assert "staging.yaml: agents.first.bundle names" in said
    bundle.unlink()
    assert "it cannot be read" in refused(root)


def test_a_gateway_that_would_become_another_is_refused(root, tmp_path):
    """Its settings are pinned; what else decides on its configuration is the environment and this version."""
    root = copied(root, tmp_path)
    gateway = root / "blueprints" / "gateway.yaml"
    gateway.write_text(gateway.read_text().replace("gpt-4.1-mini", "gpt-5-mini"))
    environments = load_environments(root / "environments.yaml")
    folder = ReleaseFolder.beside(root / "environments.yaml")
    pinned = released_project(load_project(root / "blueprints"), environments["staging"], folder).gateway
    assert pinned.models["demo"].all_deployments[0].model == "openai/gpt-4.1-mini"
    # When the environment changes, the configuration does
    changed = {
        **ENVIRONMENTS,
        "staging": {**ENVIRONMENTS["staging"], "gateway": {"profile": "managed", "database": {}}},
    }
    write_project(root, [], changed, gateway=None)
    said = refused(root)
    assert "staging.yaml: gateway.configuration is " in said
    assert "`strandline promote --all --from simulation --to staging`" in said


def test_the_gateways_configuration_is_told_as_it_was_promoted(root, tmp_path):
    """`strandline gateway config`, whatever gateway.yaml has become."""
    moved_on, known = copied(root, tmp_path), load_environments(root / "environments.yaml")
    gateway = moved_on / "blueprints" / "gateway.yaml"
    gateway.write_text(gateway.read_text().replace("gpt-4.1-mini", "gpt-5-mini"))

    def config(environment, folder):
        return compiled_config(known[environment], folder / "blueprints", folder / "environments.yaml")

    assert config("staging", moved_on) == config("staging", root)
    assert "gpt-5-mini" not in config("staging", moved_on)
    assert "gpt-5-mini" in config("simulation", moved_on)


def test_a_bundle_of_another_agent_is_refused(root, tmp_path):
    root = copied(root, tmp_path)
    folder = ReleaseFolder.beside(root / "environments.yaml")
    kept = folder.lock("staging")
    save_lock(folder, kept.with_entries({"first": kept.agents["second"]}))
    assert "is second 1.0.0, and" in refused(root)


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        ("staging", "simulation", "simulation deploys the working tree"),
        ("production", "staging", "A promotion goes on from production, and staging is not after it"),
        ("staging", "staging", "staging is not after it"),
        ("simulation", "production", "From simulation to production, staging was passed by: promote to staging first"),
        ("local", "staging", "code that was built for the cloud on this machine runs nowhere else"),
    ],
)
def test_a_promotion_goes_to_the_next_environment(root, here, there, said):
    environments = load_environments(root / "environments.yaml")
    local = environments["simulation"].model_copy(update={"name": "local", "cloud": "local"})
    known = {**environments, "local": local}
    with pytest.raises(InputError, match=re.escape(said)):
        require_order(known[here], known[there], list(environments), None)


def test_an_environment_that_the_project_has_not_is_not_passed_by(root):
    environments = load_environments(root / "environments.yaml")
    here, there = environments["simulation"], environments["production"]
    assert require_order(here, there, ["simulation", "production"], None) == []
    assert require_order(here, there, list(environments), "the house burns") == ["staging was passed by"]


def test_an_agent_goes_only_where_its_blueprint_allows(root, tmp_path):
    root = write_project(tmp_path, [blueprint("only", execution_modes={"simulation": True})], ENVIRONMENTS)
    environments = load_environments(root / "environments.yaml")
    (agent,) = load_project(root / "blueprints").agents
    with pytest.raises(InputError, match=r"only may not be promoted to staging: execution_modes\.staging is false"):
        origin_in_tree(agent, environments["simulation"], environments["staging"], [])
