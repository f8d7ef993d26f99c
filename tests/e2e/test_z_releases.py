"""Bad releases, each bad in its own way, deployed by the command while callers ask: `live` stays where it is, nobody
sees a failure, and the report says why in its first line. Runs late in its folder: what is rolled back leaves versions.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager

import pytest

from agent_runtime.loader import load_blueprint
from stacks.artefacts import Artefacts
from stacks.packaging import HOST
from tests.e2e.load import PER_SECOND, load_on

pytestmark = pytest.mark.e2e

ASKED = ("direct", "routed", "company-proxy", "cloudflare")
# Of what does not start AgentCore makes no version.
TRIED = ("company_proxy", "direct")
NOT_PASSED = r"version \d+ of \S+ in local did not pass, and `live` was not moved: "
# There at synth, which imports it too, and gone where the handler starts.
CHARTS = """\
import os

from strands import tool

if "STRANDLINE_BUNDLE" in os.environ:
    raise FileNotFoundError("charts.csv")


@tool
def read_chart(place: str) -> str:
    \"""Reads the chart of a place.\"""
    return place
"""
NO_SECRETS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"},
    ],
}


@pytest.fixture(scope="module")
def bad_releases(project):
    """All of them, one deployment after another, under load; gives it, the reports, and `live` before and after."""
    build_what_does_not_start(project)
    before = live_versions(project)
    with load_on(project, ASKED) as load:
        reports = {release: deploy(project) for release, deploy in RELEASES.items()}
    return load, reports, before, live_versions(project)


@contextmanager
def written(project, files):
    """The project's files, by their path below it, with other texts; as they were at the end."""
    paths = {project.folder / name: text for name, text in files.items()}
    before = {path: path.read_text() if path.exists() else None for path in paths}
    try:
        for path, text in paths.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        yield
    finally:
        for path, text in before.items():
            path.write_text(text) if text is not None else path.unlink()


def blueprint(project, agent):
    return (project.folder / "blueprints" / "agents" / f"{agent}.yaml").read_text()


def what_does_not_start(project):
    """An agent with a tool whose import fails."""
    return {
        "blueprints/tools/charts.py": CHARTS,
        "blueprints/agents/cloudflare.yaml": blueprint(project, "cloudflare")
        + "tools: [{python: charts:read_chart}]\n",
    }


def build_what_does_not_start(project):
    """Before anybody calls: packing it takes a minute of a machine that callers keep busy."""
    folder = project.folder / "blueprints"
    with written(project, what_does_not_start(project)):
        Artefacts(folder, HOST, project.home).of(load_blueprint(folder / "agents" / "cloudflare.yaml").blueprint)


def deploy_what_does_not_start_and_fails_its_checks(project):
    """Two more at once: an answer that is not the expected one, and a model that is gone."""
    check = 'checks: [{name: names-the-sea, prompt: Hello, contains: ["no such word"]}]\n'
    answers = "checks: [{name: answers, prompt: Hello, regex: .}]\n"
    files = {
        **what_does_not_start(project),
        "blueprints/agents/company-proxy.yaml": blueprint(project, "company-proxy") + check,
        # Whatever model the tests before have left it with.
        "blueprints/agents/direct.yaml": re.sub("model_id: .*", "model_id: fault-404", blueprint(project, "direct"))
        + answers,
    }
    with written(project, files):
        return project.deploy()


def deploy_what_names_a_secret_without_a_value(project):
    named = blueprint(project, "direct").replace("DIRECT_API_KEY", "NO_SUCH_KEY")
    with written(project, {"blueprints/agents/direct.yaml": named}):
        return project.deploy()


def deploy_with_a_boundary_that_lacks_a_right(project):
    """What an account's administrators may do to every role: no agent reads a secret any more."""
    document = json.dumps(NO_SECRETS)
    project.client("iam").create_policy(PolicyName="no-secrets", PolicyDocument=document)
    file = "environments.yaml"
    with written(project, {file: (project.folder / file).read_text()}):
        project.change_environment(permissions_boundary="no-secrets")
        return project.deploy()


RELEASES = {
    "three": deploy_what_does_not_start_and_fails_its_checks,
    "secret": deploy_what_names_a_secret_without_a_value,
    "right": deploy_with_a_boundary_that_lacks_a_right,
}


def live_versions(project):
    client = project.client("bedrock-agentcore-control")
    found = {}
    for runtime in client.list_agent_runtimes()["agentRuntimes"]:
        endpoints = client.list_agent_runtime_endpoints(agentRuntimeId=runtime["agentRuntimeId"])["runtimeEndpoints"]
        found[runtime["agentRuntimeName"]] = {one["name"]: one["liveVersion"] for one in endpoints}
    return found


def reasons(report):
    """The report's lines that say why, the first with `error:` before it."""
    assert report.returncode == 1, report.stdout + report.stderr
    assert "Traceback" not in report.stderr
    return report.stderr.partition("error: ")[2].splitlines()


def test_nobody_saw_a_failure_of_all_that_the_schedule_asked(bad_releases):
    load, *_ = bad_releases
    assert load.failed == []
    assert load.answered == load.sent >= load.due
    assert load.sent > 20 * PER_SECOND


def test_live_was_not_moved(bad_releases):
    *_, before, after = bad_releases
    for name in (f"local_{agent.replace('-', '_')}" for agent in ASKED):
        assert after[name]["live"] == before[name]["live"]
    # And it was not because nothing was tried: CloudFormation made versions, and took them back.
    assert all(int(after[f"local_{name}"]["DEFAULT"]) > int(before[f"local_{name}"]["DEFAULT"]) for name in TRIED)


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("cloudflare", r".*did not start"),
        (
            "company-proxy",
            rf"{NOT_PASSED}.*'names-the-sea' failed, 0 of 1 runs.*: the answer does not hold 'no such word'",
        ),
        ("direct", rf"{NOT_PASSED}.*answered with HTTP status 404"),
    ],
)
def test_the_first_lines_say_what_is_wrong_with_each_release(bad_releases, agent, told):
    said = {line.partition(": ")[0]: line for line in reasons(bad_releases[1]["three"])}
    assert re.match(f"Local-Agent-{agent}: {told}", said[f"Local-Agent-{agent}"])


def test_a_missing_secret_is_said_before_an_agent_is_touched(bad_releases):
    first, *commands = reasons(bad_releases[1]["secret"])
    assert first.startswith("1 of local's secrets have no value yet, so no agent and no gateway was touched.")
    assert commands == ["  strandline secrets set NO_SUCH_KEY --env local"]


def test_a_missing_right_is_said_by_secret_and_role(bad_releases):
    first = reasons(bad_releases[1]["right"])[0]
    assert re.match(rf"Local-Agent-\S+: {NOT_PASSED}", first)
    assert re.search(r"strandline/local/\w+ cannot be read by role", first)
