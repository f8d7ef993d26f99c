"""The canaries of an environment: begun, ended by one party only, and recorded.

A route is a parameter of Systems Manager, which knows no conditional write but that of a name that is not there yet. So
who ends a canary first makes a second parameter, the ending, which only one can make; what it says is carried out in an
order that can be taken up again after a crash at any place, by whoever looks next.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from .canary_records import ALL, BACK, REPLACED, RUNNING, Outcome, encode_record, outcome_line, record_key
from .canary_routes import Route, decode, ending_name, folder, route_name
from .endpoint_names import CANARY, LIVE, PREVIOUS
from .endpoints import move_endpoint, version_behind


@dataclass(frozen=True)
class Clients:
    """Who is asked, as boto3 has them.

    Attributes:
        control: `bedrock-agentcore-control`.
        parameters: `ssm`.
        store: `s3`.
    """

    control: Any
    parameters: Any
    store: Any


class Canaries:
    """The canaries of one environment.

    Args:
        clients: Who is asked.
        environment: Name of the environment.
        bucket: Where records are kept.
        write: Takes a line of metrics.
        now: The time.
    """

    def __init__(
        self,
        clients: Clients,
        environment: str,
        bucket: str,
        *,
        write: Callable[[str], None] = print,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._control, self._parameters, self._store = clients.control, clients.parameters, clients.store
        self._environment = environment
        self._bucket = bucket
        self._write = write
        self._now = now

    def route(self, agent: str) -> Route | None:
        """Gives the canary of an agent, if one runs."""
        return read_route(self._parameters, self._environment, agent)

    def found(self) -> tuple[list[Route], list[str]]:
        """Gives every canary that runs, and the agents of those that somebody began to end and did not finish."""
        pages = self._parameters.get_paginator("get_parameters_by_path").paginate(
            Path=folder(self._environment), Recursive=True
        )
        values = {one["Name"]: one["Value"] for page in pages for one in page["Parameters"]}
        unfinished = {name.removesuffix("-end") for name in values if name.endswith("/canary-end")}
        running = [name for name in values if name.endswith("/canary") and name not in unfinished]
        return [decode(values[name]) for name in running], [name.split("/")[-2] for name in unfinished]

    def begin(self, route: Route, by: str) -> None:
        """Begins a canary; one that runs already is replaced.

        Args:
            route: The new one.
            by: Who begins it.
        """
        self.take_up(route.agent)
        before = self.route(route.agent)
        if before:
            self.end(before, Outcome(REPLACED, f"version {route.version} was deployed", by))
        self._record(route, Outcome(RUNNING, f"{route.share:.0%} of new sessions go to version {route.version}", by))
        self._parameters.put_parameter(
            Name=route_name(self._environment, route.agent), Value=route.encode(), Type="String", Overwrite=True
        )

    def end(self, route: Route, outcome: Outcome) -> bool:
        """Ends a canary, unless somebody else does or has.

        Args:
            route: The canary.
            outcome: How, why and by whom.

        Returns:
            Whether it was ended here.

        Raises:
            EndpointNotMoved: AgentCore does not move an endpoint; it is tried again by whoever looks next.
        """
        name = ending_name(self._environment, route.agent)
        value = json.dumps({"route": asdict(route), **asdict(outcome)})
        try:
            self._parameters.put_parameter(Name=name, Value=value, Type="String", Overwrite=False)
        except self._parameters.exceptions.ParameterAlreadyExists:
            return False
        if not route.is_same(self.route(route.agent)):
            self._delete(name)
            return False
        self._carry_out(value)
        return True

    def take_up(self, agent: str) -> None:
        """Carries out what was begun and not finished, if anything was."""
        value = _value(self._parameters, ending_name(self._environment, agent))
        if value is not None:
            self._carry_out(value)

    def _carry_out(self, value: str) -> None:
        told = json.loads(value)
        route, outcome = Route(**told.pop("route")), Outcome(**told)
        if outcome.outcome == ALL:
            self._move_live(route)
            self._remove_route(route)
        elif outcome.outcome == BACK:
            self._remove_route(route)
            # Sessions that end and come back, and callers who have not heard of it yet, get what everybody gets.
            live = version_behind(self._control, route.runtime_arn, LIVE)
            move_endpoint(self._control, route.runtime_arn, CANARY, live or route.live)
        self._record(route, outcome)
        self._write(outcome_line(self._environment, route, outcome, self._now()))
        self._delete(ending_name(self._environment, route.agent))

    def _move_live(self, route: Route) -> None:
        before = version_behind(self._control, route.runtime_arn, LIVE)
        if before != route.version:
            # First what a rollback goes back to: no version is without an endpoint for a moment.
            move_endpoint(self._control, route.runtime_arn, PREVIOUS, before or route.live)
            move_endpoint(self._control, route.runtime_arn, LIVE, route.version)

    def _remove_route(self, route: Route) -> None:
        if route.is_same(self.route(route.agent)):
            self._delete(route_name(self._environment, route.agent))

    def remove(self, agent: str, release: str) -> None:
        """Removes the route of a release whose stack goes, or no longer has a canary.

        Args:
            agent: Id of the agent.
            release: Id of the gate that let the release pass; another release's route stays.
        """
        current = self.route(agent)
        if current and current.release == release:
            self._delete(route_name(self._environment, agent))
            self._delete(ending_name(self._environment, agent))

    def _delete(self, name: str) -> None:
        with suppress(self._parameters.exceptions.ParameterNotFound):
            self._parameters.delete_parameter(Name=name)

    def _record(self, route: Route, outcome: Outcome) -> None:
        self._store.put_object(
            Bucket=self._bucket,
            Key=record_key(route.agent, route.version),
            Body=encode_record(self._environment, route, outcome, self._now()),
            ContentType="application/json",
        )


def read_route(parameters: Any, environment: str, agent: str) -> Route | None:
    """Reads which canary of an agent runs.

    Args:
        parameters: A client of Systems Manager.
        environment: Name of the environment.
        agent: Id of the agent.

    Returns:
        Its route; nothing where none runs.
    """
    value = _value(parameters, route_name(environment, agent))
    return decode(value) if value is not None else None


def _value(parameters: Any, name: str) -> str | None:
    try:
        value: str = parameters.get_parameter(Name=name)["Parameter"]["Value"]
    except parameters.exceptions.ParameterNotFound:
        return None
    return value
