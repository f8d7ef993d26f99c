"""A canary that goes to all and one that goes back, under load: nobody sees a failure, sessions stay as they began."""

from __future__ import annotations

import itertools
import json

import pytest

from stacks.custom_resources.canary_routes import endpoint_of
from strandline.canaries import figures_of, last_record, running_canary, why_not_live
from strandline.client import Agent
from strandline.history import read_history
from strandline.targets import Target, find_environment
from tests.e2e.conftest import ACCOUNT
from tests.e2e.load import load_on
from tests.support.openai_replies import Reply

pytestmark = pytest.mark.e2e
NAME = "/strandline/local/direct/canary"
CANARY = {"share": "50%", "duration": "5m", "min_sessions": 5, "max_fallback_increase": "0%"}


class Trial:
    """The agent `direct` in an environment with canaries, its callers, and the watcher."""

    def __init__(self, project):
        self.project = project
        self.blueprint = project.folder / "blueprints" / "agents" / "direct.yaml"
        environment = find_environment("local", project.folder / "environments.yaml")
        self.target = Target(environment, project.cloud.environment(ACCOUNT))
        self.parameters = project.client("ssm")
        outputs = project.client("cloudformation").describe_stack_resources(StackName="Local-Checks")["StackResources"]
        self.watcher = next(
            one["PhysicalResourceId"]
            for one in outputs
            if one["ResourceType"] == "AWS::Lambda::Function" and one["LogicalResourceId"].startswith("Canaries")
        )
        self.caller = Agent(
            "direct",
            environment="local",
            runtime_arn=project.runtime_arn("direct"),
            protocol="HTTP",
            agents=project.client("bedrock-agentcore"),
            parameters=self.parameters,
            clock=itertools.count(step=60).__next__,  # no route is kept
        )

    def deploy(self, changes):
        """Another blueprint of the agent."""
        text = self.blueprint.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        self.blueprint.write_text(text)
        done = self.project.deploy()
        assert done.returncode == 0, done.stderr

    def behind(self):
        found = self.project.client("bedrock-agentcore-control").list_agent_runtime_endpoints(
            agentRuntimeId=self.project.runtime_arn("direct").rpartition("/")[2]
        )["runtimeEndpoints"]
        return {one["name"]: one["liveVersion"] for one in found}

    def route(self):
        try:
            return json.loads(self.parameters.get_parameter(Name=NAME)["Parameter"]["Value"])
        except self.parameters.exceptions.ParameterNotFound:
            return None

    def sessions(self, **of_each):
        """As many new sessions of each side, each asked once: what answered, by session."""
        # Those of live first: the watcher, which also comes by itself, has something to compare with.
        ids = {"live": [], "canary": []}
        while any(len(ids[side]) < wanted for side, wanted in of_each.items()):
            assert len(ids["live"]) + len(ids["canary"]) < 500
            session = self.caller.new_session()
            ids[endpoint_of(session)].append(session)
        chosen = [session for side, found in ids.items() for session in found[: of_each[side]]]
        return {session: self.ask(session) for session in chosen}

    def ask(self, session):
        return self.caller.ask("Say something.", session_id=session).body["version"]

    def let_time_pass(self):
        route = self.route()
        route["ends"] = route["began"]
        self.parameters.put_parameter(Name=NAME, Value=json.dumps(route), Type="String", Overwrite=True)

    def watch(self):
        answer = self.project.client("lambda").invoke(FunctionName=self.watcher, Payload=b'{"Watch": "canaries"}')
        assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.fixture(scope="module")
def trial(project):
    """Version 1.2.4 is the first that comes as a canary."""
    project.provider.script("my-org/weaker", Reply(headers={"x-litellm-attempted-fallbacks": "1"}))
    project.change_environment(canary=CANARY)
    blueprint = project.folder / "blueprints" / "agents" / "direct.yaml"
    blueprint.write_text(blueprint.read_text().replace("version: 1.2.3", "version: 1.2.4"))
    done = project.deploy()
    assert done.returncode == 0, done.stderr
    made = Trial(project)
    with load_on(project, ("routed", "direct"), per_second=5) as made.load:
        yield made
    assert made.load.failed == []
    assert made.load.answered > 40


def test_a_canary_that_does_well_goes_to_all(trial):
    before, route = trial.behind(), trial.route()
    assert (route["version"], route["live"]) == (before["canary"], before["live"])
    assert before["canary"] == before["candidate"] != before["live"]
    # When callers come, each new session by its share
    answered = trial.sessions(live=1, canary=5)
    assert {(endpoint_of(session), version) for session, version in answered.items()} == {
        ("canary", "1.2.4"),
        ("live", "1.2.3"),
    }
    # Then nothing happens before its time, and what runs is said
    trial.watch()
    assert trial.route() == route
    figures = figures_of(trial.target, running_canary(trial.target, "direct"))
    assert (figures.canary.sessions, figures.live.sessions) == (5, 1)
    told = why_not_live(trial.target, "direct")
    assert told.startswith(f"version {route['version']} is a canary (50% of new sessions until")
    # And afterwards all get it; sessions that run keep their version
    trial.let_time_pass()
    trial.watch()
    after = trial.behind()
    assert (after["live"], after["previous"], trial.route()) == (before["canary"], before["live"], None)
    assert {session: trial.ask(session) for session in answered} == answered
    assert trial.project.invoke("direct", "Who answers?")[-1]["version"] == "1.2.4"
    assert last_record(trial.target, "direct")["reason"].startswith("went to all: no limit was passed in 5 sessions")


def test_a_canary_that_does_worse_goes_back_and_the_record_says_why(trial):
    trial.deploy({"version: 1.2.4": "version: 1.2.5", "my-org/claude-fable": "my-org/weaker"})
    before = trial.behind()
    # When its model falls back, which nobody but the watcher sees
    answered = trial.sessions(live=5, canary=5)
    assert set(answered.values()) == {"1.2.4", "1.2.5"}
    trial.watch()
    # Then it goes back at once
    after = trial.behind()
    assert trial.route() is None
    assert after == {**before, "canary": before["live"]}
    assert {session: trial.ask(session) for session in answered} == answered
    told = trial.project.run("canary", "direct", "--env", "local").stderr
    assert "went back: fallbacks: 5 of 5 sessions of the canary, 0 of 5 of live" in told
    assert "(watcher, 20" in told
    (newest,) = read_history(trial.target, "direct", 1)
    assert newest.canary.startswith("went back: fallbacks")
    # And new sessions get what is live, whoever asks
    assert {endpoint_of(trial.caller.new_session()) for _ in range(40)} == {"live"}
