"""The deployed project of the end-to-end tests as a drill uses it: one of its agents in a process of ours.

AgentCore's sessions keep a secret for five minutes; this handler, with the same variables, for seconds.
"""

from __future__ import annotations

from contextlib import contextmanager
from io import StringIO

import httpx
from rich.console import Console

from stacks.project import load_project
from strandline.rotation.kinds import open_rotation
from strandline.rotation.steps import Runner
from strandline.targets import Target, find_environment
from tests.e2e.conftest import ACCOUNT
from tests.support.drill import CACHE_SECONDS, handler_process

PREFIX = "strandline/local/"


class DeployedWorld:
    """What is deployed, and the commands on it.

    Args:
        project: The deployed project.
    """

    def __init__(self, project) -> None:
        self.deployed = project
        environment = find_environment("local", project.folder / "environments.yaml")
        self.target = Target(environment, project.cloud.environment(ACCOUNT))
        self.project = load_project(project.folder / "blueprints")
        self.console = Console(file=StringIO(), width=110)

    def rotate(self, *names: str, values: dict[str, str] | None = None, **options) -> None:
        """Rotates as `strandline rotate` does, with the drill's times."""
        runner = Runner(
            self.target, self.project, self.console, cache_seconds=CACHE_SECONDS, margin_seconds=2, **options
        )
        runner.run(open_rotation(self.target, self.project, names, lambda *_: None), (values or {}).__getitem__)

    def value(self, variable: str) -> str:
        """The current value of a variable's secret."""
        return self.target.client("secretsmanager").get_secret_value(SecretId=PREFIX + variable)["SecretString"]

    def version(self, variable: str) -> str:
        """Id of the current version of a variable's secret."""
        return self.target.client("secretsmanager").get_secret_value(SecretId=PREFIX + variable)["VersionId"]

    def opens(self, key: str) -> bool:
        """Whether the gateway takes a key."""
        client = self.deployed.client("cloudformation")
        outputs = client.describe_stacks(StackName="Local-Gateway")["Stacks"][0]["Outputs"]
        url = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "Url")
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{url}/v1/models", headers=headers, timeout=60).status_code == 200

    @contextmanager
    def handler(self, agent: str, log):
        """One of its agents, with the variables of its deployed runtime."""
        control = self.deployed.client("bedrock-agentcore-control")
        runtime = self.deployed.runtime_arn(agent).rpartition("/")[2]
        variables = control.get_agent_runtime(agentRuntimeId=runtime)["environmentVariables"]
        known = self.deployed.cloud.environment(ACCOUNT)
        keys = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        own = {name: known[name] for name in keys} | {"AWS_DEFAULT_REGION": self.target.environment.region}
        with handler_process({**variables, **own}, log) as handler:
            yield handler
