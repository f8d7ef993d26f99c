"""Which sessions used which version of a secret, as the agents' own logs tell, and the end of such sessions.

A handler notes in the line of each invocation the version of each secret that it used (`agent_runtime/invocation.py`).
A session that is idle says nothing; it reads the secret anew before it answers again.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stacks.names import LIVE
from strandline.aws_errors import told
from strandline.inventory import list_runtimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stacks.project import Project
    from strandline.targets import Target

_GROUP = "/aws/bedrock-agentcore/runtimes/{runtime}-{endpoint}"


@dataclass(frozen=True, slots=True)
class LoggedUse:
    """One invocation that used a version of a secret.

    Attributes:
        agent: Id of the agent.
        runtime: ARN of its runtime.
        session: Its session; empty where the line names none.
        time: When.
    """

    agent: str
    runtime: str
    session: str
    time: dt.datetime


def find_uses(
    target: Target, project: Project, agents: Iterable[str], version: str, since: dt.datetime
) -> list[LoggedUse]:
    """Finds the invocations that used a version.

    Args:
        target: The environment.
        project: The user's files.
        agents: Ids of the agents that read the secret.
        version: Id of the version.
        since: From when on.

    Returns:
        The invocations, by time.

    Raises:
        EnvironmentFault: AWS refuses, or cannot be reached.
    """
    wanted = set(agents)
    names = {
        agent.blueprint.runtime_name(target.environment.name): agent.blueprint.id
        for agent in project.agents_of(target.environment)
        if agent.blueprint.id in wanted
    }
    found: list[LoggedUse] = []
    with told("CloudWatch Logs", "AWS does not tell what the agents logged"):
        client = target.client("logs")
        for deployed in list_runtimes(target):
            name, arn = deployed["agentRuntimeName"], deployed["agentRuntimeArn"]
            if name not in names:
                continue
            group = _GROUP.format(runtime=arn.rpartition("/")[2], endpoint=LIVE)
            for line in _lines(client, group, version, since):
                session = str(line["parsed"].get("session", ""))
                found.append(LoggedUse(names[name], arn, session, line["time"]))
    return sorted(found, key=lambda use: use.time)


def stop_sessions(target: Target, uses: Sequence[LoggedUse]) -> int:
    """Ends the sessions that used a version ("StopRuntimeSession", Amazon Bedrock AgentCore).

    Args:
        target: The environment.
        uses: Invocations of those sessions.

    Returns:
        How many were running and are ended.

    Raises:
        EnvironmentFault: AWS refuses, or cannot be reached.
    """
    client = target.client("bedrock-agentcore")
    stopped = 0
    for runtime, session in sorted({(use.runtime, use.session) for use in uses if use.session}):
        with told("AgentCore", f"AgentCore does not stop the session {session}"):
            try:
                client.stop_runtime_session(agentRuntimeArn=runtime, qualifier=LIVE, runtimeSessionId=session)
            except client.exceptions.ResourceNotFoundException:
                continue  # it has ended by itself
        stopped += 1
    return stopped


def _lines(client: Any, group: str, version: str, since: dt.datetime) -> Iterable[dict[str, Any]]:
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=f'"{version}"'
    )
    for page in pages:
        for event in page["events"]:
            try:
                parsed = json.loads(event["message"])
            except ValueError:
                continue
            if isinstance(parsed, dict) and version in parsed.values():
                yield {"parsed": parsed, "time": dt.datetime.fromtimestamp(event["timestamp"] / 1000, dt.UTC)}
