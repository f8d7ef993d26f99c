"""The endpoints of a deployed agent and the versions behind them; moving `live` is one update of one endpoint."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.custom_resources.endpoints import EndpointNotMoved, move_endpoint
from stacks.names import LIVE
from strandline.aws_errors import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from strandline.invocation import Runtime
    from strandline.targets import Target

_HASH = re.compile(r"(?P<sha256>[0-9a-f]{64})\.(?:json|zip)$")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a runtime, as AgentCore keeps it.

    Attributes:
        number: Its number.
        bundle_uri: Where its bundle is; empty where it has none.
        code_bucket: Bucket of its code artefact; empty where it runs a container.
        code_key: Key of the same.
        python: AgentCore's name of its Python.
        created_at: When it was made, ISO 8601.
        status: AgentCore's status.
        role_arn: ARN of its execution role.
    """

    number: str
    bundle_uri: str
    code_bucket: str
    code_key: str
    python: str
    created_at: str
    status: str
    role_arn: str

    @property
    def bundle(self) -> str | None:
        """SHA-256 of its bundle, by the bundle's name."""
        return _hash_in(self.bundle_uri)

    @property
    def code(self) -> str | None:
        """SHA-256 of its code artefact, by the artefact's name."""
        return _hash_in(self.code_key)


class Endpoints:
    """The endpoints of one runtime.

    Args:
        target: The environment.
        runtime: The runtime.
        sleep: Waits between two looks.
    """

    def __init__(self, target: Target, runtime: Runtime, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = target.client("bedrock-agentcore-control")
        self._runtime = runtime
        self._sleep = sleep

    def versions_behind(self) -> Mapping[str, str]:
        """Gives the version behind each endpoint, by the endpoint's name."""
        with self._told():
            pages = self._client.get_paginator("list_agent_runtime_endpoints").paginate(
                agentRuntimeId=self._runtime.runtime_id
            )
            found = [one for page in pages for one in page["runtimeEndpoints"]]
        return {one["name"]: str(one["liveVersion"]) for one in found if one.get("liveVersion")}

    def versions(self) -> list[str]:
        """Gives the numbers of all versions that AgentCore still has, the newest first."""
        with self._told():
            pages = self._client.get_paginator("list_agent_runtime_versions").paginate(
                agentRuntimeId=self._runtime.runtime_id
            )
            numbers = {str(one["agentRuntimeVersion"]) for page in pages for one in page["agentRuntimes"]}
        return sorted(numbers, key=int, reverse=True)

    def version(self, number: str) -> Version:
        """Describes a version.

        Args:
            number: Its number.

        Returns:
            What it runs.

        Raises:
            InputError: AgentCore has no such version any more.
        """
        asked = {"agentRuntimeId": self._runtime.runtime_id, "agentRuntimeVersion": number}
        with self._told():
            try:
                found = self._client.get_agent_runtime(**asked)
            except self._client.exceptions.ResourceNotFoundException:
                kept = ", ".join(self.versions()) or "none"
                raise InputError(f"There is no version {number}: AgentCore keeps {kept}.") from None
        code = (found.get("agentRuntimeArtifact") or {}).get("codeConfiguration") or {}
        place = code.get("code", {}).get("s3", {})
        return Version(
            number=number,
            bundle_uri=(found.get("environmentVariables") or {}).get("STRANDLINE_BUNDLE", ""),
            code_bucket=place.get("bucket", ""),
            code_key=place.get("prefix", ""),
            python=code.get("runtime", ""),
            created_at=str(found.get("lastUpdatedAt", "")),
            status=str(found.get("status", "")),
            role_arn=found["roleArn"],
        )

    def live(self) -> Version | None:
        """Describes the version that callers get; nothing where there is no endpoint `live`."""
        number = self.versions_behind().get(LIVE)
        return self.version(number) if number else None

    def move_live(self, number: str) -> None:
        """Moves `live` by one update, and waits until AgentCore says that it is there.

        Args:
            number: The version.

        Raises:
            EnvironmentFault: AgentCore refuses, or does not come to an end.
        """
        try:
            move_endpoint(self._client, self._runtime.arn, LIVE, number, self._sleep)
        except EndpointNotMoved as refused:
            raise EnvironmentFault(str(refused)) from None

    def _told(self) -> AbstractContextManager[None]:
        return told("AgentCore", f"AgentCore does not tell of the runtime {self._runtime.runtime_id}")


def _hash_in(address: str) -> str | None:
    found = _HASH.search(address)
    return found["sha256"] if found else None
