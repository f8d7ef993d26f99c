"""The templates of docs/ci: they parse, every command in them exists, and no key is kept."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from strandline.cli import app
from strandline.toolchain import node_bin

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "ci"
STRANDLINE, CDK = ".venv/bin/strandline", "node_modules/.bin/cdk"
ORDER = (
    f"{CDK} synth",
    f"{CDK} deploy",
    f"{STRANDLINE} checks run",
    f"{STRANDLINE} promote --all --from simulation --to staging",
    f"{STRANDLINE} promote --all --from staging --to production",
)


class _Loader(yaml.SafeLoader):
    """CloudFormation's short forms are values like others here."""


_Loader.add_multi_constructor("!", lambda loader, tag, node: f"<{node.value}>")


def github() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "github-actions.yml").read_text())


def pipeline() -> dict[str, Any]:
    template: dict[str, Any] = _Loader((FOLDER / "codepipeline.yaml").read_text()).get_single_data()
    return template["Resources"]


def buildspecs() -> dict[str, dict[str, Any]]:
    projects = {name: one for name, one in pipeline().items() if one["Type"] == "AWS::CodeBuild::Project"}
    return {name: yaml.safe_load(one["Properties"]["Source"]["BuildSpec"]) for name, one in projects.items()}


def commands(template: str) -> list[str]:
    """All lines that a template runs, in its order."""
    if template == "github-actions.yml":
        steps = [step for job in github()["jobs"].values() for step in job["steps"]]
        return [line for step in steps for line in step.get("run", "").splitlines()]
    builds = [spec["phases"]["build"] for spec in buildspecs().values()]
    return [line for build in builds for line in (*build["commands"], *build.get("finally", ()))]


TEMPLATES = ("github-actions.yml", "codepipeline.yaml")


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_command_is_one_of_the_command_line(template):
    own = [line for line in commands(template) if line.startswith(STRANDLINE)]
    assert len(own) >= 5
    for line in own:
        check_strandline(shlex.split(line)[1:])


def test_the_check_sees_a_command_and_an_option_that_do_not_exist():
    for line in ("promotion --all", "promote --everything --from staging --to production", "checks walk hello"):
        with pytest.raises((AssertionError, typer.TyperException)):
            check_strandline(shlex.split(line))


def check_strandline(arguments: list[str]) -> None:
    """Parses the arguments as the command line does, and runs nothing."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        assert name in command.commands, name
        command = command.commands[name]
    with command.make_context(command.name, list(arguments)):
        pass


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_other_command_is_the_cdks_or_the_makefiles(template):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in commands(template):
        words = shlex.split(line)
        if words[0] == "make":
            assert set(words[1:]) <= targets
        if words[0] == CDK:
            asked = {word.replace("--no-", "--") for word in words[2:] if word.startswith("--")}
            assert asked <= options_of_cdk(words[1])


@cache
def options_of_cdk(command: str) -> set[str]:
    done = subprocess.run(
        [str(node_bin() / "node"), str(ROOT / CDK), command, "--help"], capture_output=True, text=True, check=True
    )
    assert f"cdk {command}" in done.stdout
    return set(re.findall(r"--[a-z-]+", done.stdout))


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_way_is_synth_simulation_checks_staging_production(template):
    found = [next((step for step in ORDER if line.startswith(step)), None) for line in commands(template)]
    assert tuple(step for step in found if step) == ORDER


def test_production_waits_for_a_person_and_for_staging():
    jobs = github()["jobs"]
    assert [jobs[name].get("needs") for name in jobs] == [None, "synth", "simulation", "staging"]
    assert jobs["production"]["environment"] == "production"
    stages = [stage["Name"] for stage in pipeline()["Pipeline"]["Properties"]["Stages"]]
    assert stages == ["Source", "Synth", "Simulation", "Staging", "Approval", "Production"]


def test_no_key_is_kept_and_roles_come_from_oidc_or_from_the_service():
    for file in FOLDER.iterdir():
        text = file.read_text()
        assert not re.search(r"AKIA|ASIA|aws[_-]access[_-]key|secrets\.", text, re.IGNORECASE), file
    for name, job in github()["jobs"].items():
        takes_role = any(step.get("uses", "").startswith("aws-actions/") for step in job["steps"])
        assert takes_role == (name != "synth")
        assert takes_role == (job.get("permissions", {}).get("id-token") == "write")


@pytest.mark.parametrize(
    ("file", "source"), [("aws-config.ini", "Environment"), ("aws-config-codebuild.ini", "EcsContainer")]
)
def test_each_account_has_a_profile_whose_role_is_taken(file, source):
    config = configparser.ConfigParser()
    config.read(FOLDER / file)
    assert [*config] == ["DEFAULT", "profile simulation", "profile staging", "profile production"]
    for name in config.sections():
        assert config[name]["credential_source"] == source
        assert config[name]["role_arn"].endswith(":role/strandline-deploy")


def test_cfn_lint_takes_the_pipeline():
    done = subprocess.run(
        [str(ROOT / ".venv/bin/cfn-lint"), str(FOLDER / "codepipeline.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
