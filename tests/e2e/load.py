"""Callers who ask agents all the time, in sessions that go on and in new ones, and keep every failure."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager

PER_SECOND = 20
# Each new session is a process of its own on this machine.
NEW_SESSION_EVERY = 60


class Load:
    """What callers saw.

    Attributes:
        answered: Answers that came whole.
        failed: What came instead.
    """

    def __init__(self, project, agents):
        self.answered = 0
        self.failed = []
        self._project = project
        self._agents = agents
        self._arns = {agent: project.runtime_arn(agent) for agent in agents}
        self._client = project.client("bedrock-agentcore")
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def ask(self, agent, session):
        import json

        try:
            answer = self._client.invoke_agent_runtime(
                agentRuntimeArn=self._arns[agent],
                qualifier="live",
                runtimeSessionId=session,
                contentType="application/json",
                accept="application/json",
                payload=json.dumps({"prompt": "Say something."}).encode(),
            )
            told = json.loads(answer["response"].read())
            fault = None if told.get("type") == "done" else str(told)
        except Exception as error:  # whatever it is, a caller saw it
            fault = repr(error)
        with self._lock:
            if fault is None:
                self.answered += 1
            else:
                self.failed.append(f"{agent}: {fault}")

    def run(self, worker, workers):
        """One of the callers: each asks in its turn, so that together they keep to the rate as far as answers come."""
        sessions = {agent: f"steady-{agent}-{worker}".ljust(40, "x") for agent in self._agents}
        while not self._stopping.is_set():
            began, number = time.monotonic(), next(self._numbers)
            agent = self._agents[number % len(self._agents)]
            is_new = number % NEW_SESSION_EVERY == NEW_SESSION_EVERY - 1
            self.ask(agent, f"fresh-{number}".ljust(40, "x") if is_new else sessions[agent])
            self._stopping.wait(max(0.0, workers / PER_SECOND - (time.monotonic() - began)))

    def stop(self):
        self._stopping.set()


@contextmanager
def load_on(project, agents, workers=4):
    """Callers for as long as the context is open; each has an answer of each agent before it begins."""
    load = Load(project, agents)
    for agent in agents:
        load.ask(agent, f"steady-{agent}-0".ljust(40, "x"))
    threads = [threading.Thread(target=load.run, args=(number, workers)) for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop()
        for thread in threads:
            thread.join()
