"""The end of an environment: said first, its name typed, and nothing of it left that was not said to stay."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.e2e


def stacks(project):
    return {one["StackName"] for one in project.client("cloudformation").describe_stacks()["Stacks"]}


def used_by(project, stack):
    """Names of the stacks that a stack imports from."""
    template = project.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    return set(re.findall(r'"Fn::ImportValue": "([^":]+):', json.dumps(template)))


def test_nothing_goes_without_the_environments_name(project):
    before = stacks(project)
    for arguments in ((), ("--confirm", "production"), ("--confirm", "")):
        done = project.run("destroy", "--env", "local", *arguments)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
    assert stacks(project) == before


def test_the_plan_names_every_stack_and_what_imports_goes_first(project):
    plan = json.loads(project.run("destroy", "--env", "local", "--plan", "--json").stdout)

    assert {name for step in plan["steps"] for name in step} == stacks(project) - {"CDKToolkit"}
    order = [name.removeprefix("Local-") for step in plan["steps"][1:] for name in step]
    assert order == ["Checks", "Gateway", "Network", "Secrets"]
    assert all(name.startswith("Local-Agent-") for name in plan["steps"][0])
    used = {name: used_by(project, name) for step in plan["steps"] for name in step}
    assert "Local-Gateway" in used["Local-Agent-routed"]
    for number, step in enumerate(plan["steps"]):
        assert set().union(*(used[name] for name in step)) <= set().union(*plan["steps"][number + 1 :])
    assert "about eight hours" in plan["notes"][0]


def test_an_environment_goes_without_a_secret_and_leaves_no_role(project):
    done = project.run("destroy", "--env", "local", "--confirm", "local")

    assert done.returncode == 0, done.stderr
    assert stacks(project) == {"CDKToolkit"}
    roles = project.client("iam").list_roles()["Roles"]
    assert [one["RoleName"] for one in roles if one["Path"].startswith("/strandline/")] == []
    assert project.client("bedrock-agentcore-control").list_agent_runtimes()["agentRuntimes"] == []
