"""What an environment runs, read back from AgentCore, and whether that is what was deployed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    from strandline.targets import Target

CALLS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class RunningAgent:
    """What the endpoint `live` of an agent answers with.

    Attributes:
        version: The runtime's version.
        bucket: Bucket of the code artefact.
        key: Its key there.
        python: AgentCore's name of its Python.
        bundle: SHA-256 of the bundle.
        bundle_uri: Where the bundle is.
    """

    version: str
    bucket: str
    key: str
    python: str
    bundle: str
    bundle_uri: str

    @property
    def artefact(self) -> str:
        """SHA-256 of the code artefact, by its name."""
        return self.key.rpartition("/")[2].removesuffix(".zip")


def read_running(target: Target, agents: Iterable[str]) -> dict[str, RunningAgent]:
    """Reads back what runs.

    Args:
        target: The environment.
        agents: Ids of the agents to look at.

    Returns:
        What runs, by id; without those that are not deployed, or have no endpoint `live`.

    Raises:
        EnvironmentFault: AgentCore refuses, or cannot be reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    client = target.client("bedrock-agentcore-control")
    names = {f"{target.environment.name}_{agent}".replace("-", "_"): agent for agent in agents}
    try:
        pages = client.get_paginator("list_agent_runtimes").paginate()
        ids = {
            names[runtime["agentRuntimeName"]]: runtime["agentRuntimeId"]
            for page in pages
            for runtime in page["agentRuntimes"]
            if runtime["agentRuntimeName"] in names
        }
        with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
            found = pool.map(lambda runtime_id: _read(client, runtime_id), ids.values())
            return {agent: running for agent, running in zip(ids, found, strict=True) if running}
    except (BotoCoreError, ClientError) as error:
        raise EnvironmentFault(
            f"AgentCore does not tell what runs in {target.environment.name} ({type(error).__name__}): {error}"
        ) from None


def require_deployed(target: Target, agent: str, running: RunningAgent, template: Mapping[str, Any]) -> None:
    """Makes sure that `live` answers with what the agent's stack deployed.

    Args:
        target: The environment.
        agent: Id of the agent.
        running: What runs.
        template: The template of its stack, as deployed.

    Raises:
        InputError: It answers with something else; says what differs.
    """
    properties = template["Resources"]["Runtime"]["Properties"]
    code = properties["AgentRuntimeArtifact"]["CodeConfiguration"]["Code"]["S3"]
    deployed = {"code artefact": code["Prefix"], "bundle": properties["EnvironmentVariables"]["STRANDLINE_BUNDLE"]}
    runs = {"code artefact": running.key, "bundle": running.bundle_uri}
    for part, name in deployed.items():
        if name_of(name) != name_of(runs[part]):
            raise InputError(
                f"{agent} in {target.environment.name} has drifted: its stack deployed the {part} {name_of(name)}, and "
                f"version {running.version}, which `live` answers with, has {name_of(runs[part])}: deploy "
                f"{target.environment.name} again, or find out who moved `live`."
            )


def name_of(uri: Any) -> str:
    """The last part of an address in S3; the bucket before it may be left to CloudFormation to fill in."""
    if isinstance(uri, dict):
        uri = "".join(part for part in uri["Fn::Join"][1] if isinstance(part, str)) if "Fn::Join" in uri else ""
        return name_of(uri) if uri else ""
    return str(uri).rpartition("/")[2]


def _read(client: Any, runtime_id: str) -> RunningAgent | None:
    from stacks.names import LIVE

    endpoints = client.list_agent_runtime_endpoints(agentRuntimeId=runtime_id)["runtimeEndpoints"]
    version = next((endpoint.get("liveVersion") for endpoint in endpoints if endpoint["name"] == LIVE), None)
    if version is None:
        return None
    runtime = client.get_agent_runtime(agentRuntimeId=runtime_id, agentRuntimeVersion=version)
    code = runtime["agentRuntimeArtifact"]["codeConfiguration"]
    bundle_uri = runtime["environmentVariables"]["STRANDLINE_BUNDLE"]
    return RunningAgent(
        version=version,
        bucket=code["code"]["s3"]["bucket"],
        key=code["code"]["s3"]["prefix"],
        python=code["runtime"],
        bundle=name_of(bundle_uri).removesuffix(".json"),
        bundle_uri=bundle_uri,
    )
