"""Callers who ask agents all the time, in sessions that go on and in new ones, and keep every failure.

The requests come by a schedule of their own, whether or not earlier ones have ended: slow answers do not thin them out.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

PER_SECOND = 20
# Each new session is a process of its own on this machine.
NEW_SESSION_EVERY = 200
SESSIONS = 2
"""Sessions of each agent that go on; requests of one session wait for each other."""
_AT_ONCE = 64


class Caller:
    """Asks deployed agents behind `live` with plain boto3.

    Args:
        project: Where they are deployed.
        agents: Their ids.
    """

    def __init__(self, project, agents):
        self._arns = {agent: project.runtime_arn(agent) for agent in agents}
        self._client = project.client("bedrock-agentcore")

    def ask(self, agent, session):
        """Gives the answer, or what was wrong under `error`."""
        try:
            answer = self._client.invoke_agent_runtime(
                agentRuntimeArn=self._arns[agent],
                qualifier="live",
                runtimeSessionId=session,
                contentType="application/json",
                accept="application/json",
                payload=json.dumps({"prompt": "Say something."}).encode(),
            )
            return json.loads(answer["response"].read())
        except Exception as error:  # whatever it is, a caller saw it
            return {"error": repr(error)}

    def end(self, agent, session):
        """Ends a session, and with it the process that it is here."""
        self._client.stop_runtime_session(agentRuntimeArn=self._arns[agent], qualifier="live", runtimeSessionId=session)


class Load:
    """What callers saw.

    Attributes:
        caller: Who asks.
        per_second: How many requests the schedule has.
        sent: Requests that were sent.
        due: Requests that the schedule had for the time that the load was on.
        answered: Answers that came whole.
        failed: What came instead.
    """

    def __init__(self, caller, agents, per_second):
        self.caller = caller
        self.per_second = per_second
        self.sent = self.due = self.answered = 0
        self.failed = []
        self._agents = agents
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def ask(self, agent, session, *, is_last=False):
        told = self.caller.ask(agent, session)
        with self._lock:
            if told.get("type") == "done":
                self.answered += 1
            else:
                self.failed.append(f"{agent}: {told}")
        if is_last:
            self.caller.end(agent, session)

    def run(self):
        """Sends what is due, until it is stopped; then waits for what is on its way."""
        begun = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while not self._stopping.wait(max(0.0, begun + self.sent / self.per_second - time.monotonic())):
                agent, number = self._agents[self.sent % len(self._agents)], self.sent
                is_new = number % NEW_SESSION_EVERY == NEW_SESSION_EVERY - 1
                steady = f"steady-{agent}-{number // len(self._agents) % SESSIONS}"
                session = (f"fresh-{number}" if is_new else steady).ljust(40, "x")
                pool.submit(self.ask, agent, session, is_last=is_new)
                self.sent += 1
            self.due = int((time.monotonic() - begun) * self.per_second)

    def stop(self):
        self._stopping.set()


@contextmanager
def load_on(project, agents, per_second=PER_SECOND):
    """Callers for as long as the context is open; each agent has answered before they begin."""
    load = Load(Caller(project, agents), agents, per_second)
    for agent in agents:
        load.ask(agent, f"steady-{agent}-0".ljust(40, "x"))
    assert load.failed == []
    load.answered = 0
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join()
