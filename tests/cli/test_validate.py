"""`strandline validate` and `strandline schema`, as people and machines call them."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from strandline.cli import app

REPOSITORY = Path(__file__).parents[2]
HELLO = (REPOSITORY / "blueprints" / "agents" / "hello.yaml").read_text()


@pytest.fixture
def project(tmp_path, monkeypatch):
    shutil.copytree(REPOSITORY / "blueprints", tmp_path / "blueprints")
    shutil.copy(REPOSITORY / "environments.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def agent(project: Path, text: str) -> None:
    (project / "blueprints" / "agents" / "hello.yaml").write_text(text)


def told(*arguments: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(app, ["validate", *arguments, "--json"])
    answer = json.loads(done.stdout)
    assert set(answer) == {"valid", "problems"}
    assert answer["valid"] == (not answer["problems"])
    assert done.exit_code == (1 if answer["problems"] else 0)
    return list(answer["problems"])


def test_the_repositorys_own_are_valid_everywhere(project):
    assert told() == []
    for environment in ("local", "simulation", "staging", "production"):
        assert told("--env", environment) == []
    assert told("blueprints/agents/hello.yaml") == []


UNSET = HELLO.replace("model_id: demo  ", "model_id: ${ACTIVE_MODEL}  ") + "execution_modes: {production: true}\n"


def test_a_variable_that_an_environment_lacks_is_told_for_it_only(project):
    agent(project, UNSET)
    file = project / "environments.yaml"
    file.write_text(file.read_text().replace("  staging:\n", "    variables: {ACTIVE_MODEL: demo}\n\n  staging:\n"))
    assert told("--env", "simulation") == []
    (problem,) = told("--env", "production")
    assert problem["file"] == "blueprints/agents/hello.yaml"
    assert problem["path"] == "model.model_id"
    assert problem["message"] == "in production: the variable ACTIVE_MODEL is not set and has no default"
    # Staging is not among them: the agent may not run there.
    assert [str(one["message"]).split(":")[0] for one in told()] == ["in local", "in production"]
    assert [one["message"] for one in told("blueprints/agents/hello.yaml", "--env", "production")] == [
        problem["message"]
    ]


def test_a_gateway_that_does_not_serve_an_environments_model_is_told(project):
    agent(project, HELLO + "environments: {simulation: {model: {model_id: demmo}}}\n")
    (problem,) = told("--env", "simulation")
    assert problem["path"] == "environments.simulation.model.model_id" or problem["line"] == HELLO.count("\n") + 1
    assert "did you mean demo?" in str(problem["hint"])


def test_an_environment_that_does_not_exist_is_told(project):
    (problem,) = told("--env", "prod")
    assert "has no environment 'prod'" in str(problem["message"])


def test_a_file_far_from_any_project_is_checked_for_what_holds_everywhere(project, tmp_path):
    agent(project, UNSET)
    (project / "environments.yaml").unlink()
    assert told("blueprints/agents/hello.yaml") == []
    agent(project, HELLO + "environments: {production: {model: {temperature: 9}}}\n")
    (problem,) = told("blueprints/agents/hello.yaml")
    assert problem["path"] == "environments.production.model.temperature"


def test_the_schema_is_printed_as_it_lies_in_the_repository(project):
    printed = CliRunner().invoke(app, ["schema"]).stdout
    assert printed == (REPOSITORY / "blueprints" / "schema.json").read_text()
    assert "| `model_id` |" in CliRunner().invoke(app, ["schema", "--markdown"]).stdout
