"""The gateway is replaced, and loses a task, while sixteen clients ask it: every answer comes whole."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from tests.support.openai_server import Reply

pytestmark = pytest.mark.e2e

CLIENTS = 16
PROVIDER_MODEL = "gpt-4.1-mini"
STACK = "Local-Gateway"
# A streamed answer is on its way for more than a second: there are always some of them in flight.
PACED = Reply(echo=True, pause=0.04)
WORDS = " ".join(f"word{number}" for number in range(24))
PATIENCE_SECONDS = 120


@dataclass
class Client(threading.Thread):
    """Asks again and again, and keeps what was not as it should be."""

    url: str
    key: str
    number: int
    stopping: threading.Event
    complete: int = 0
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(name=f"client-{self.number}")

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS) as http:
            while not self.stopping.is_set():
                self.ask(http, f"{self.name} {self.complete} {WORDS}")
                # Requests at all times, and time for the deployment on the same machine.
                self.stopping.wait(0.75)

    def ask(self, http: httpx.Client, text: str) -> None:
        try:
            answered = self.streamed(http, text) if self.number % 2 else self.whole(http, text)
        except (httpx.HTTPError, ValueError, KeyError) as fault:
            self.faults.append(repr(fault))
            return
        if answered == text:
            self.complete += 1
        else:
            self.faults.append(answered)

    def whole(self, http: httpx.Client, text: str) -> str:
        answer = http.post("/v1/chat/completions", json=body(text))
        return answer.json()["choices"][0]["message"]["content"] if answer.status_code == 200 else answer.text

    def streamed(self, http: httpx.Client, text: str) -> str:
        with http.stream("POST", "/v1/chat/completions", json={**body(text), "stream": True}) as answer:
            lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
        if answer.status_code != 200 or lines[-1] != "[DONE]":
            return f"{answer.status_code} ends with {lines[-1:]}"
        pieces = [json.loads(line) for line in lines[:-1]]
        return "".join(choice["delta"].get("content") or "" for piece in pieces for choice in piece["choices"])


def body(text: str) -> dict[str, object]:
    return {"model": "house-model", "messages": [{"role": "user", "content": text}]}


@contextmanager
def load(project):
    """Sixteen clients, half of them streaming, from before the block until after it."""
    outputs = project.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    url = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "Url")
    key = project.client("secretsmanager").get_secret_value(SecretId="strandline/local/STRANDLINE_GATEWAY_KEY")
    stopping = threading.Event()
    clients = [Client(url, key["SecretString"], number, stopping) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        all_have_asked(clients)
        yield clients
        all_have_asked(clients)
    finally:
        stopping.set()
        for client in clients:
            client.join()


def all_have_asked(clients):
    """Waits until each client has had another answer, or a fault that ends the test."""
    before = {client: client.complete for client in clients}
    until(lambda: all(client.complete > before[client] or client.faults for client in clients))


def until(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


def service(project):
    ecs = project.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    (name,) = ecs.list_services(cluster=cluster)["serviceArns"]
    return ecs, {"cluster": cluster, "service": name}


def running(project):
    ecs, where = service(project)
    return set(ecs.list_tasks(cluster=where["cluster"], desiredStatus="RUNNING")["taskArns"])


def scale(project, count):
    """Sets the number of tasks, as autoscaling does, and waits until it is so."""
    ecs, where = service(project)
    ecs.update_service(**where, desiredCount=count)

    def steady():
        (found,) = ecs.describe_services(cluster=where["cluster"], services=[where["service"]])["services"]
        (group,) = {entry["targetGroupArn"] for entry in found["loadBalancers"]}
        health = project.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        states = [target["TargetHealth"]["State"] for target in health]
        return found["runningCount"] == count and states == ["healthy"] * count

    until(steady)


@pytest.fixture(scope="module")
def paced(project, provider):
    provider.script(PROVIDER_MODEL, PACED)
    yield project
    provider.script(PROVIDER_MODEL, Reply())


def test_a_rolling_update_loses_nothing(paced):
    before = running(paced)
    settings = paced.folder / "blueprints" / "gateway.yaml"
    settings.write_text(settings.read_text() + "    timeout_seconds: 120\n")

    with load(paced) as clients:
        deployed = paced.deploy()

    assert deployed.returncode == 0, deployed.stderr
    assert running(paced).isdisjoint(before)
    assert {client.name: client.faults for client in clients if client.faults} == {}


def test_a_scale_in_loses_nothing(paced):
    scale(paced, 2)
    before = running(paced)

    with load(paced) as clients:
        scale(paced, 1)

    assert len(running(paced) & before) == 1
    assert {client.name: client.faults for client in clients if client.faults} == {}
