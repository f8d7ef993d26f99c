"""The canaries of deployed agents: what runs, what became of the last one, and ending one by hand."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import EnvironmentFault, InputError
from stacks.custom_resources.canaries import Canaries, Clients, read_route
from stacks.custom_resources.canary_figures import FiguresUnknown, read_figures
from stacks.custom_resources.canary_records import BACK, Outcome, record_key
from stacks.custom_resources.endpoints import EndpointNotMoved
from stacks.names import CANDIDATE
from strandline.aws_errors import code_of, told
from strandline.callers import caller
from strandline.checks.results import records_bucket
from strandline.endpoints import Endpoints
from strandline.invocation import find_runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stacks.custom_resources.canary_judging import Figures
    from stacks.custom_resources.canary_routes import Route
    from strandline.targets import Target


def running_canary(target: Target, agent: str) -> Route | None:
    """Gives the canary of an agent, if one runs.

    Args:
        target: The environment.
        agent: Id of the agent.

    Returns:
        Its route.

    Raises:
        EnvironmentFault: Systems Manager refuses, or the parameter is none of ours.
    """
    name = target.environment.name
    with told("Systems Manager", f"Whether {agent} has a canary in {name} is not told"):
        try:
            return read_route(target.client("ssm"), name, agent)
        except ValueError as error:
            raise EnvironmentFault(f"The canary of {agent} in {name} cannot be read: {error}.") from None


def running_canaries(target: Target) -> list[Route]:
    """Gives every canary that runs; asks only where the environment has canaries."""
    return _canaries(target).found()[0] if target.environment.canary else []


def record_of(target: Target, agent: str, version: str | None) -> Mapping[str, Any] | None:
    """Reads what became of a version's canary.

    Args:
        target: The environment.
        agent: Id of the agent.
        version: Number of the version.

    Returns:
        The record: outcome, reason, by, at, figures; nothing where the version was none.

    Raises:
        EnvironmentFault: S3 refuses.
    """
    store, bucket, key = target.client("s3"), records_bucket(target), record_key(agent, version or "")
    with told("S3", f"What became of the canary of {agent}, s3://{bucket}/{key}, cannot be read"):
        try:
            content = store.get_object(Bucket=bucket, Key=key)["Body"].read()
        except store.exceptions.ClientError as error:
            # Who may not list the bucket is not told that there is no such key.
            if code_of(error) not in ("NoSuchKey", "AccessDenied"):
                raise
            return None
    record: dict[str, Any] = json.loads(content)
    return record


def last_record(target: Target, agent: str) -> Mapping[str, Any] | None:
    """Reads what became of the newest version that passed its checks; nothing where it was no canary."""
    newest = Endpoints(target, find_runtime(target, agent)).versions_behind().get(CANDIDATE)
    return record_of(target, agent, newest)


def why_not_live(target: Target, agent: str) -> str | None:
    """Says why `live` is not what was deployed last, where that is a canary's doing.

    Args:
        target: The environment.
        agent: Id of the agent.

    Returns:
        The reason; nothing where no canary explains it.
    """
    name = target.environment.name
    if route := running_canary(target, agent):
        return f"version {route.version} is a canary ({summary(route)}): see strandline canary {agent} --env {name}"
    record = last_record(target, agent) if target.environment.canary else None
    if record is None or record["outcome"] != BACK:
        return None
    return f"the canary of version {record['canary']['version']} {record['reason']} ({record['by']}, {record['at']})"


def require_no_canary(target: Target, agents: Iterable[str]) -> None:
    """Makes sure that no version is still on trial.

    Args:
        target: The environment.
        agents: Ids of agents.

    Raises:
        InputError: A canary runs.
    """
    running = {route.agent: route for route in running_canaries(target)}
    for agent in agents:
        if route := running.get(agent):
            name = target.environment.name
            raise InputError(
                f"A canary of {agent} runs in {name}: version {route.version}, {summary(route)}. Promote when it has "
                f"gone to all, or end it: strandline canary {agent} --env {name} --promote (or --back)."
            )


def summary(route: Route) -> str:
    """Says how much a canary gets, and until when."""
    return f"{route.share:.0%} of new sessions until {time.strftime('%Y-%m-%d %H:%M', time.gmtime(route.ends))} UTC"


def figures_of(target: Target, route: Route) -> Figures:
    """Reads what both sides of a canary did so far.

    Args:
        target: The environment.
        route: The canary.

    Returns:
        The figures.

    Raises:
        EnvironmentFault: The log cannot be asked.
    """
    with told("CloudWatch Logs", f"The figures of the canary of {route.agent} cannot be read"):
        try:
            return read_figures(target.client("logs"), route, time.time())
        except FiguresUnknown as error:
            raise EnvironmentFault(f"The figures of the canary of {route.agent} cannot be read: {error}.") from None


def end_canary(target: Target, route: Route, outcome: str, reason: str, figures: Figures | None = None) -> None:
    """Ends a canary by hand.

    Args:
        target: The environment.
        route: The canary.
        outcome: `all` or `back`.
        reason: Why.
        figures: What both sides did, for the record.

    Raises:
        InputError: Somebody else ended it meanwhile.
        EnvironmentFault: AgentCore does not move an endpoint.
    """
    ending = Outcome(outcome, reason, caller(target), figures.as_dict() if figures else None)
    try:
        ended = _canaries(target).end(route, ending)
    except EndpointNotMoved as refused:
        raise EnvironmentFault(f"{refused} The next look of the watcher tries it again.") from None
    if not ended:
        raise InputError(
            f"The canary of {route.agent} in {target.environment.name} was ended by somebody else meanwhile: "
            f"strandline canary {route.agent} --env {target.environment.name} says how."
        )


def _canaries(target: Target) -> Canaries:
    clients = Clients(target.client("bedrock-agentcore-control"), target.client("ssm"), target.client("s3"))
    # The metric is the watcher's to write: a line of this process reaches no log group.
    return Canaries(clients, target.environment.name, records_bucket(target), write=lambda line: None)
