"""Simulation, staging and production in three accounts of one local cloud: a release rehearsed on one machine."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from strandline.invocation import find_runtime
from strandline.releases.promotion import Promotion
from strandline.releases.running import read_running
from strandline.targets import Target, find_environment
from tests.e2e.conftest import REGION, STRANDLINE, Project

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNTS = {"simulation": "111111111111", "staging": "222222222222", "production": "333333333333"}
AGENT = "tide"
_ENVIRONMENT = "  {name}: {{account: '{account}', region: {region}, cloud: local{more}}}\n"
_BLUEPRINT = """\
id: {id}
name: Tide
version: {version}
prompt_ref: {id}
model: {{provider: litellm, base_url: "{url}", model_id: my-org/tide, temperature: 0.2, max_tokens: 99}}
checks: [{{name: answers, prompt: Hello?, contains: [hello]}}]
execution_modes: {{simulation: true, staging: true, production: true}}
environments: {{production: {{model: {{temperature: 0.1, api_key_env: TIDE_API_KEY}}}}}}
"""


@dataclass(frozen=True)
class Place:
    """One environment, as callers of its agents need it."""

    target: Target

    def runtime_arn(self, agent: str) -> str:
        return find_runtime(self.target, agent).arn

    def client(self, service: str):
        return self.target.client(service)


@dataclass
class Rehearsal:
    """A project whose three environments are accounts of the local cloud."""

    folder: Path
    project: Project

    def write(self, agents: Sequence[str] = (AGENT,)) -> None:
        """Writes the project: agents that simulation asks at their own endpoint, for there is no gateway."""
        for name in ("agents", "prompts"):
            (self.folder / "blueprints" / name).mkdir(parents=True)
        lines = [
            _ENVIRONMENT.format(
                name=name,
                account=account,
                region=REGION,
                more=", gateway: {simulate_endpoints: false}" if name == "simulation" else "",
            )
            for name, account in ACCOUNTS.items()
        ]
        self.environments.write_text("environments:\n" + "".join(lines))
        for agent in agents:
            self.say(f"You know the {agent}s.\n", agent=agent)

    def say(self, prompt: str, *, agent: str = AGENT, version: str = "1.0.0") -> None:
        """Changes an agent's prompt."""
        text = _BLUEPRINT.format(id=agent, version=version, url=self.project.provider.base_url)
        (self.blueprints / "agents" / f"{agent}.yaml").write_text(text)
        (self.blueprints / "prompts" / f"{agent}.md").write_text(prompt)

    def at(self, environment: str) -> Place:
        """One of the environments, for callers."""
        return Place(self.targets[environment])

    @property
    def environments(self) -> Path:
        return self.folder / "environments.yaml"

    @property
    def blueprints(self) -> Path:
        return self.folder / "blueprints"

    @cached_property
    def targets(self) -> dict[str, Target]:
        known = {name: find_environment(name, self.environments) for name in ACCOUNTS}
        cloud = self.project.cloud
        return {name: Target(found, cloud.environment(found.account)) for name, found in known.items()}

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs `strandline` in the project's folder."""
        beside = replace(self.project, folder=self.folder)
        return beside.run(*arguments, stdin=stdin)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `strandline` in the project's folder, in a group of processes of its own."""
        return subprocess.Popen(
            [*STRANDLINE, *arguments],
            cwd=self.folder,
            env=self.project.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def as_role(self, environment: str, service: str):
        """A client with the rights of a role that may do everything with a service, but for what denies it."""
        import boto3

        target = self.targets[environment]
        anyone = {"Effect": "Allow", "Principal": {"AWS": target.environment.account}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [anyone]})
        arn = target.client("iam").create_role(RoleName="everything", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": f"{service}:*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        target.client("iam").put_role_policy(RoleName="everything", PolicyName="all", PolicyDocument=document)
        given = target.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return boto3.client(
            service,
            endpoint_url=self.project.cloud.url,
            region_name=REGION,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def promotion(self, source: str, destination: str) -> Promotion:
        """A promotion in this process, which changes nothing until it is told to."""
        from stacks.environments import load_environments
        from stacks.project import load_project
        from stacks.releases.store import ReleaseFolder

        return Promotion(
            self.targets[source],
            self.targets[destination],
            environments=list(load_environments(self.environments).values()),
            tree=load_project(self.blueprints),
            folder=ReleaseFolder.beside(self.environments),
        )

    def running(self, environment: str):
        """What an environment answers with, read back from its runtime."""
        return read_running(self.targets[environment], [AGENT]).get(AGENT)

    def stamps(self) -> dict[str, int]:
        """When each artefact with the packages of the one that simulation runs was built, by name of its stamp.

        Every build writes a stamp; what other tests build meanwhile has other packages.
        """
        code, folder = self.running("simulation").code, self.project.home / "artefacts"
        # Another recipe that makes the same bytes, of before a change of ours, has a stamp of its own.
        packages = {path.stem.rpartition("-")[0] for path in folder.glob("*.sha256") if path.read_text() == code}
        assert packages
        return {path.name: path.stat().st_mtime_ns for one in packages for path in folder.glob(f"{one}-*.sha256")}
