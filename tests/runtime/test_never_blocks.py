"""Nothing blocks the loops: while one invocation is stuck in a thread, `/ping` and other invocations are answered.

Each test holds something up until the others have been answered. If that ran on a loop, they would not be, and what is
held up would tell that it waited in vain.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent_runtime.data_protection.protection import OutputStream, Protection
from tests.runtime.handler import SESSION
from tests.support.equipped_handler import TEST_MODEL, EquippedHandler
from tests.support.openai_server import Reply, ToolCall

OTHER = SESSION[::-1]
IN_VAIN = 30

TOOLS = f'''
import threading
from strands import tool

begun, release = threading.Event(), threading.Event()

@tool
def held() -> str:
    """Waits in a thread."""
    begun.set()
    return f"released: {{release.wait({IN_VAIN})}}"

@tool
async def blocking() -> str:
    """Does what no tool should: waits on the loop."""
    begun.set()
    return f"released: {{release.wait({IN_VAIN})}}"
'''


@pytest.fixture
def equipped(endpoint, secrets_manager, clock, tmp_path, monkeypatch):
    """Serves a handler with the tools above, or with data protection."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "holding.py").write_text(TOOLS)
    running = []

    def start(**members):
        running.append(EquippedHandler(endpoint, secrets_manager, clock, tmp_path, **members))
        return running[-1]

    yield start
    for handler in running:
        handler.stop()
    sys.modules.pop("holding", None)


class Hold:
    """Something that is held up until others were answered."""

    def __init__(self):
        self.begun = threading.Event()
        self.release = threading.Event()
        self.waited_in_vain = False

    def __call__(self, *_, **__):
        self.begun.set()
        self.waited_in_vain = not self.release.wait(IN_VAIN)


def _ask_while_held(handler, begun, release, ask_others):
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(handler.invoke, {"prompt": "Slow"})
        assert begun.wait(30)
        try:
            assert handler.client.get("/ping").json()["status"] == "HealthyBusy"
            ask_others(handler)
        finally:
            release.set()
        return held.result()


def _ask(handler):
    assert handler.ask("Quick", session=OTHER)["type"] == "done"


def _ask_badly(handler):
    """Answered by the loop that runs agents, without what a question needs."""
    assert handler.invoke({"prompt": ""}, session=OTHER).status_code == 400


def test_tool_that_waits_runs_in_a_thread(equipped, endpoint):
    handler = equipped(tools=[{"python": "holding:held"}])
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(ToolCall("held"),)), Reply(text="Other"), Reply(text="Done"))
    holding = sys.modules["holding"]

    answer = _ask_while_held(handler, holding.begun, holding.release, _ask)

    assert answer.json()["result"]["content"] == [{"text": "Done"}]
    assert "released: True" in endpoint.requests[-1].raw.decode()


def test_tool_that_blocks_its_loop_is_seen_by_this_and_leaves_the_ping_alone(equipped, endpoint):
    """The tests here can fail: this one shows how. AgentCore goes on hearing that the process is healthy."""
    handler = equipped(tools=[{"python": "holding:blocking"}])
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(ToolCall("blocking"),)), Reply(text="Done"))
    holding = sys.modules["holding"]
    answered = threading.Event()

    def ask_in_vain(handler):
        threading.Thread(target=lambda: (_ask_badly(handler), answered.set())).start()
        assert not answered.wait(1)
        assert handler.client.get("/ping").json()["status"] == "HealthyBusy"

    _ask_while_held(handler, holding.begun, holding.release, ask_in_vain)

    assert answered.wait(30)


@pytest.mark.parametrize(
    ("place", "method"),
    [(Protection, "protect_input"), (OutputStream, "feed"), (OutputStream, "close")],
    ids=["input", "stream", "rest"],
)
def test_filter_of_personal_data_runs_in_threads(equipped, monkeypatch, place, method):
    handler = equipped(observability={"data_protection": {"provider": "presidio"}})
    hold, own = Hold(), getattr(place, method)

    def held_once(self, *text):
        if not hold.begun.is_set():
            hold()
        return own(self, *text)

    monkeypatch.setattr(place, method, held_once)

    answer = _ask_while_held(handler, hold.begun, hold.release, _ask)

    assert answer.json()["type"] == "done"
    assert not hold.waited_in_vain


def test_secrets_are_read_in_a_thread(equipped, endpoint, secrets_manager):
    model = {"base_url": endpoint.base_url, "api_key_env": "MODEL_KEY", "provider": "litellm", "model_id": TEST_MODEL}
    handler = equipped(model={**model, "temperature": 0, "max_tokens": 9})
    hold = Hold()
    for name in ("get_secret_value", "batch_get_secret_value"):
        own = getattr(secrets_manager, name)
        setattr(secrets_manager, name, lambda own=own, **asked: (hold(), own(**asked))[1])

    answer = _ask_while_held(handler, hold.begun, hold.release, _ask_badly)

    assert answer.json()["type"] == "done"
    assert not hold.waited_in_vain


def test_answer_that_the_model_does_not_begin_holds_nobody_up(equipped, endpoint):
    handler = equipped()
    release = threading.Event()
    endpoint.script(TEST_MODEL, Reply(stop_after=0, until=release), Reply(text="Other"))
    begun = threading.Event()
    threading.Thread(target=lambda: (endpoint.wait_for_requests(1), begun.set())).start()

    answer = _ask_while_held(handler, begun, release, _ask)

    assert answer.json()["type"] == "done"
