"""Asks agents as a caller does: sessions that go on with the version that they began with, canaries included.

    from strandline.client import Agent

    agent = Agent.find("tide", environment="production", region="eu-west-1")
    session = agent.new_session()
    print(agent.ask("When is high water?", session_id=session).text)

A caller needs `bedrock-agentcore:InvokeAgentRuntime` on the runtime and `ssm:GetParameter` on the agent's parameter
`/strandline/<environment>/<agent>/canary`. Where that cannot be read, new sessions go to `live`. `docs/canary.md` has
the rule for callers that do not use Python.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from agent_runtime.errors import EnvironmentFault, InputError, StrandlineError
from stacks.custom_resources import agent_calls
from stacks.custom_resources.canaries import read_route
from stacks.custom_resources.canary_routes import endpoint_of, new_session_id
from stacks.custom_resources.dialects import DIALECTS
from stacks.custom_resources.endpoint_names import CANARY, LIVE
from strandline.deployed_stacks import stack_outputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from stacks.custom_resources.agent_calls import Answer
    from stacks.custom_resources.canary_routes import Route

__all__ = ["Agent", "AgentFailureError"]

_SHORTEST_SESSION_ID, _LONGEST_SESSION_ID = 33, 256
_ROUTE_SECONDS = 15.0


class AgentFailureError(StrandlineError):
    """Raised when the agent answers with a failure; the message names its type and its id in the log."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Credentials and a Region."""

    session: Any
    region: str | None

    def client(self, service: str) -> Any:
        return self.session.client(service, region_name=self.region)


class Agent:
    """One agent of one environment; for any thread.

    Args:
        name: Id of the agent.
        environment: Name of the environment.
        runtime_arn: ARN of its runtime: the output `RuntimeArn` of its stack.
        protocol: What the runtime serves: HTTP, MCP or A2A.
        agents: A client of `bedrock-agentcore`.
        parameters: A client of Systems Manager.
        clock: Seconds that only grow, for the age of a route.

    Attributes:
        name: Id of the agent.
    """

    def __init__(
        self,
        name: str,
        *,
        environment: str,
        runtime_arn: str,
        protocol: str,
        agents: Any,
        parameters: Any,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._environment = environment
        self._runtime_arn = runtime_arn
        self._dialect = DIALECTS[protocol]
        self._agents = agents
        self._parameters = parameters
        self._clock = clock
        self._lock = threading.Lock()
        self._route: Route | None = None
        self._read_at: float | None = None

    @classmethod
    def find(cls, name: str, *, environment: str, region: str | None = None, session: Any = None) -> Self:
        """Finds a deployed agent by its stack, with the credentials at hand.

        Args:
            name: Id of the agent.
            environment: Name of the environment.
            region: AWS region; boto3's default where none is given.
            session: A `boto3.Session` with other credentials.

        Returns:
            The agent.

        Raises:
            InputError: The agent is not deployed there.
            EnvironmentFault: CloudFormation refuses, or cannot be reached.
        """
        import boto3

        from stacks.names import agent_stack_id

        place = _Place(session or boto3.Session(), region)
        outputs = stack_outputs(place, f"{environment.capitalize()}-{agent_stack_id(name)}")
        if "RuntimeArn" not in outputs:
            raise InputError(f"The agent {name!r} is not deployed in {environment}.")
        return cls(
            name,
            environment=environment,
            runtime_arn=outputs["RuntimeArn"],
            protocol=outputs.get("Protocol", "HTTP"),
            agents=place.client("bedrock-agentcore"),
            parameters=place.client("ssm"),
        )

    def new_session(self) -> str:
        """Makes the id of a new session; while a canary runs it says which version the session gets.

        Returns:
            The id, to be given with every question of the session, by whatever process.
        """
        return new_session_id(self._current_route())

    def ask(
        self, prompt: str, *, session_id: str | None = None, on_text: Callable[[str], None] = lambda text: None
    ) -> Answer:
        """Asks, by the protocol that the agent serves, and reads its stream.

        Args:
            prompt: What to ask.
            session_id: AgentCore's session, 33 to 256 characters; a new one where none is given. Ids that callers make
                up go to `live`.
            on_text: Called with each piece of text as it comes.

        Returns:
            The answer.

        Raises:
            InputError: The session id has the wrong length.
            AgentFailureError: The agent failed.
            EnvironmentFault: AgentCore refuses or cannot be reached.
        """
        session_id = session_id or self.new_session()
        if not _SHORTEST_SESSION_ID <= len(session_id) <= _LONGEST_SESSION_ID:
            raise InputError(
                f"A session id has {_SHORTEST_SESSION_ID} to {_LONGEST_SESSION_ID} characters; "
                f"{session_id!r} has {len(session_id)}."
            )
        endpoint = endpoint_of(session_id)
        try:
            try:
                return self._ask(prompt, session_id, endpoint, on_text)
            except agent_calls.AgentFailed as failed:
                # The environment has no canaries any more; nothing was asked yet.
                if endpoint != CANARY or failed.refused_by != "ResourceNotFoundException":
                    raise
                return self._ask(prompt, session_id, LIVE, on_text)
        except agent_calls.AgentFailed as failed:
            kind = EnvironmentFault if failed.refused_by else AgentFailureError
            raise kind(str(failed)) from None

    def _ask(self, prompt: str, session_id: str, endpoint: str, on_text: Callable[[str], None]) -> Answer:
        started = time.perf_counter()
        messages = agent_calls.invoke(
            self._agents,
            self._dialect.ask(self.name, prompt, session_id),
            agentRuntimeArn=self._runtime_arn,
            qualifier=endpoint,
            runtimeSessionId=session_id,
        )
        return agent_calls.read(self._dialect.read(messages), started, on_text)

    def _current_route(self) -> Route | None:
        from botocore.exceptions import BotoCoreError, ClientError

        with self._lock:
            now = self._clock()
            if self._read_at is None or now - self._read_at >= _ROUTE_SECONDS:
                self._read_at = now
                try:
                    self._route = read_route(self._parameters, self._environment, self.name)
                except (BotoCoreError, ClientError, ValueError):
                    self._route = None
            return self._route
