"""Execution mode simulation: every agent stands before the gateway, whatever endpoint its blueprint names."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from agent_runtime.errors import InputError
from tests.stacks.projects import Assembly, bedrock, blueprint, synthesise, write_project

if TYPE_CHECKING:
    from pathlib import Path

RUNTIME = "AWS::BedrockAgentCore::Runtime"
ROLE = "AWS::IAM::Role"
TASK = "AWS::ECS::TaskDefinition"
STRANGERS = ("direct", "lite", "private", "rock", "rock-profile")
ROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SIMULATION = {"simulation": {"account": "111111111111", "region": "us-east-1"}}


def told(assembly: Assembly, path: str) -> dict[str, Any]:
    """The variables of an agent's runtime."""
    variables: dict[str, Any] = assembly.one(path, RUNTIME)["EnvironmentVariables"]
    return variables


@pytest.mark.parametrize("agent", STRANGERS)
def test_an_agent_of_another_endpoint_is_pointed_at_the_gateway(assembly: Assembly, agent: str) -> None:
    variables = told(assembly, f"Simulation/Agent-{agent}")

    assert variables["STRANDLINE_SIMULATED"] == "true"
    assert variables["STRANDLINE_GATEWAY_URL"] == told(assembly, "Simulation/Agent-a")["STRANDLINE_GATEWAY_URL"]
    assert variables["STRANDLINE_GATEWAY_KEY"] == "STRANDLINE_GATEWAY_KEY"
    assert assembly.one(f"Simulation/Agent-{agent}", RUNTIME)["NetworkConfiguration"]["NetworkMode"] == "VPC"


def test_no_role_of_a_simulated_agent_may_call_a_model(assembly: Assembly) -> None:
    roles = [
        (path, role) for path, _, role in assembly.resources(ROLE, "Simulation/") if path.startswith("Simulation/Agent")
    ]

    assert len(roles) > len(STRANGERS)
    assert [path for path, role in roles if "bedrock:" in json.dumps(role["Properties"].get("Policies"))] == []


def test_an_agent_of_the_gateway_is_told_of_no_simulation(assembly: Assembly) -> None:
    for path, _, runtime in assembly.resources(RUNTIME):
        is_simulated = path.startswith("Simulation/") and path.partition("/Agent-")[2] in STRANGERS
        assert ("STRANDLINE_SIMULATED" in runtime["Properties"]["EnvironmentVariables"]) == is_simulated, path


def test_what_runs_is_what_runs_in_staging(assembly: Assembly) -> None:
    for agent in (*STRANGERS, "a"):
        simulated, staged = (assembly.one(f"{stage}/Agent-{agent}", RUNTIME) for stage in ("Simulation", "Staging"))
        assert simulated["AgentRuntimeArtifact"] == staged["AgentRuntimeArtifact"], agent
        bundles = [one["EnvironmentVariables"]["STRANDLINE_BUNDLE"] for one in (simulated, staged)]
        assert len({bundle.rpartition("/")[2] for bundle in bundles}) == 1, agent


def bundle_of(out: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The proxy's configuration and the files beside it, as the gateway's one zip holds them."""
    for path in out.rglob("*.zip"):
        if not zipfile.is_zipfile(path):
            continue
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        if "config.yaml" in files:
            return yaml.safe_load(files["config.yaml"]), files
    raise AssertionError("no bundle")


def test_the_gateways_bundle_knows_the_simulator_only_and_holds_the_scenarios(tmp_path: Path) -> None:
    named = blueprint("named", model_base_url=None, model_model_id="openai/gpt-5-mini", model_api_key_env="KEY")
    root = write_project(tmp_path, [blueprint("a"), named, bedrock("rock", ROCK)], SIMULATION)
    (root / "blueprints" / "scenarios").mkdir()
    (root / "blueprints" / "scenarios" / "rock.yaml").write_text("rules: [{text: Granite.}]\n")

    assembly = synthesise(root, tmp_path / "out")

    config, files = bundle_of(tmp_path / "out")
    served = {model["model_name"]: model["litellm_params"]["model"] for model in config["model_list"]}
    assert served == {name: f"strandline/{name}" for name in ("demo", "openai/gpt-5-mini", ROCK)}
    assert json.loads(files["scenarios/rock.json"])["rules"] == [{"text": "Granite."}]
    assert "gateway/proxy/simulator/__init__.py" in files
    # Neither the gateway's provider nor an agent's has a key there.
    assert "OPENAI_API_KEY" not in json.dumps(assembly.documents)
    assert '"strandline/simulation/KEY"' not in json.dumps(assembly.documents)


def test_a_gateway_that_asks_providers_has_no_simulator(tmp_path: Path) -> None:
    root = write_project(tmp_path, [blueprint("a")], {"staging": SIMULATION["simulation"]})
    (root / "blueprints" / "scenarios").mkdir()
    (root / "blueprints" / "scenarios" / "a.yaml").write_text("rules: [{text: Granite.}]\n")

    synthesise(root, tmp_path / "out")

    config, files = bundle_of(tmp_path / "out")
    assert "strandline/" not in json.dumps(config["model_list"])
    assert [name for name in files if name.startswith("scenarios/")] == []


def test_without_a_gateway_there_is_nobody_to_simulate_a_model(tmp_path: Path) -> None:
    root = write_project(tmp_path, [bedrock("rock", ROCK)], SIMULATION, gateway=None)

    with pytest.raises(InputError, match=r"rock\.yaml:\d+:\d+: model: in simulation .*\(add gateway\.yaml"):
        synthesise(root, tmp_path / "out")


def test_an_environment_may_leave_strangers_endpoints_alone(tmp_path: Path) -> None:
    environment = SIMULATION["simulation"] | {"gateway": {"simulate_endpoints": False}}
    root = write_project(tmp_path, [bedrock("rock", ROCK)], {"simulation": environment}, gateway=None)

    assembly = synthesise(root, tmp_path / "out")

    assert "STRANDLINE_SIMULATED" not in told(assembly, "Simulation/Agent-rock")
    assert "bedrock:InvokeModel" in json.dumps(assembly.documents["Simulation/Agent-rock"])
