"""Bad releases, each bad in its own way, deployed by the command while callers ask: `live` stays where it is, nobody
sees a failure, and the report says why in its first line. On a cloud of its own, with agents that cost little.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import contextmanager

import pytest

from agent_runtime.loader import load_blueprint
from stacks.artefacts import Artefacts
from stacks.packaging import HOST
from tests.e2e.canaries import forms_of, hits, hits_in_files
from tests.e2e.conftest import ACCOUNT, REGION, cloud_of_its_own, deploy_first
from tests.e2e.load import PER_SECOND, load_on

pytestmark = pytest.mark.e2e

KEY = "SEA_API_KEY"
BLUEPRINT = """\
id: {id}
name: Asked
version: 1.0.0
prompt_ref: plain
model: {{provider: litellm, base_url: "{url}", model_id: good, temperature: 0.2, max_tokens: 99, api_key_env: {key}}}
execution_modes: {{staging: true}}
"""
ENVIRONMENT = f'environments: {{local: {{account: "{ACCOUNT}", region: {REGION}, execution_mode: staging}}}}\n'
ASKED = ("moon", "sun", "tide")
# Of what does not start AgentCore makes no version.
TRIED = ("sun", "tide")
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
def project(provider, tmp_path_factory):
    """Three agents behind a key."""
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    key = {KEY: f"canary-{secrets.token_hex(12)}"}
    with cloud_of_its_own(folder, home, provider, key) as made:
        for name in ("agents", "prompts"):
            (folder / "blueprints" / name).mkdir(parents=True)
        (folder / "environments.yaml").write_text(ENVIRONMENT)
        (folder / "blueprints" / "prompts" / "plain.md").write_text("You answer in one sentence.\n")
        for agent in ASKED:
            text = BLUEPRINT.format(id=agent, url=provider.base_url, key=KEY)
            (folder / "blueprints" / "agents" / f"{agent}.yaml").write_text(text)
        deploy_first(made)
        yield made


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
        "blueprints/agents/moon.yaml": blueprint(project, "moon") + "tools: [{python: charts:read_chart}]\n",
    }


def build_what_does_not_start(project):
    """Before anybody calls: packing it takes a minute of a machine that callers keep busy."""
    folder = project.folder / "blueprints"
    with written(project, what_does_not_start(project)):
        Artefacts(folder, HOST, project.home).of(load_blueprint(folder / "agents" / "moon.yaml").blueprint)


def deploy_what_does_not_start_and_fails_its_checks(project):
    """Three agents at once: one whose handler does not start, one with a wrong answer, one whose model is gone."""
    check = 'checks: [{name: names-the-sea, prompt: Hello, contains: ["no such word"]}]\n'
    answers = "checks: [{name: answers, prompt: Hello, regex: .}]\n"
    files = {
        **what_does_not_start(project),
        "blueprints/agents/tide.yaml": blueprint(project, "tide") + check,
        "blueprints/agents/sun.yaml": blueprint(project, "sun").replace("model_id: good", "model_id: fault-404")
        + answers,
    }
    with written(project, files):
        return project.deploy()


def deploy_what_names_a_secret_without_a_value(project):
    named = blueprint(project, "sun").replace(KEY, "NO_SUCH_KEY")
    with written(project, {"blueprints/agents/sun.yaml": named}):
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
    for agent in ASKED:
        assert after[f"local_{agent}"]["live"] == before[f"local_{agent}"]["live"]
    # And it was not because nothing was tried: CloudFormation made versions, and took them back.
    assert all(int(after[f"local_{name}"]["DEFAULT"]) > int(before[f"local_{name}"]["DEFAULT"]) for name in TRIED)


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("moon", r".*did not start"),
        (
            "tide",
            rf"{NOT_PASSED}.*'names-the-sea' failed, 0 of 1 runs.*: the answer does not hold 'no such word'",
        ),
        ("sun", rf"{NOT_PASSED}.*answered with HTTP status 404"),
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


def test_no_value_of_the_key_in_the_reports_and_in_files(bad_releases, project):
    """The search over all that the folder's other tests did is one over another cloud."""
    forms = forms_of(project.canaries)
    printed = "\n".join(project.printed)
    assert bad_releases[1]["three"].stderr in printed
    assert hits(forms, printed.encode(), "the output") + hits_in_files(forms, project) == []
