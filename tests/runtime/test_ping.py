"""AgentCore's health check: busy while an invocation is in flight, and a time that moves with the status only."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent_runtime import health
from agent_runtime.health import BUSY, HEALTHY, Health
from tests.runtime.conftest import KEY
from tests.runtime.handler import MODEL_ID, SESSION, SESSION_HEADER
from tests.support.openai_server import Reply


def _ping(handler):
    return handler.client.get("/ping").json()


@pytest.fixture
def now(monkeypatch):
    """The clock that a change of status is noted by."""
    seconds = [2_000_000_000.0]
    monkeypatch.setattr(health.time, "time", lambda: seconds[0])
    return seconds


@pytest.mark.parametrize("stream", [False, True])
def test_ping_is_busy_until_the_answers_end_and_the_time_moves_twice(handler, endpoint, now, stream):
    release = threading.Event()
    endpoint.script(MODEL_ID, Reply(stop_after=2, until=release))
    now[0] += 10
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(handler.invoke, {"prompt": "Hello", "stream": stream})
        endpoint.wait_for_requests(1)
        now[0] += 10
        meanwhile = [_ping(handler), _ping(handler)]
        release.set()
        answer.result()
    now[0] += 10
    after = [_ping(handler), _ping(handler)]

    assert meanwhile == 2 * [{"status": BUSY, "time_of_last_update": 2_000_000_010}]
    assert after == 2 * [{"status": HEALTHY, "time_of_last_update": 2_000_000_020}]


def test_ping_is_busy_until_the_last_of_several_invocations(now):
    state = Health()
    with state.working():
        now[0] += 10
        with state.working():
            now[0] += 10
        assert state.status() == {"status": BUSY, "time_of_last_update": 2_000_000_000}

    assert state.status() == {"status": HEALTHY, "time_of_last_update": 2_000_000_020}


@pytest.mark.parametrize("fails", [Reply(status=404), Reply(cut_after=3)], ids=["refused", "cut"])
def test_failed_invocation_is_no_work(handler, endpoint, fails):
    endpoint.script(MODEL_ID, fails)
    handler.invoke({"prompt": "Hello"})
    handler.invoke({"prompt": ""})
    handler.ask_streaming()

    assert _ping(handler)["status"] == HEALTHY


def test_caller_who_left_leaves_no_work_behind(serve, endpoint):
    handler = serve(timeout=300.0)
    endpoint.script(MODEL_ID, Reply(stop_after=3))
    with handler.streaming("Abandoned") as response:
        lines = response.iter_lines()
        next(lines)
        assert _ping(handler)["status"] == BUSY
    assert endpoint.requests[0].gone.wait(20)

    deadline = time.monotonic() + 20
    while _ping(handler)["status"] == BUSY and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _ping(handler)["status"] == HEALTHY


def test_before_the_first_invocation_nothing_is_remembered_and_the_kernel_is_asked(tmp_path, monkeypatch):
    """What a snapshot would freeze: the clock before it. A restored machine's kernel tells a later start."""

    def kernel(boot):
        (tmp_path / "stat").write_text(f"cpu 1 2 3\nbtime {boot}\nprocesses 9\n")
        (tmp_path / "self").mkdir(exist_ok=True)
        (tmp_path / "self/stat").write_text(f"7 (a (b) c) S {' '.join('0' for _ in range(18))} {started} 0 0")
        monkeypatch.setattr(health, "_PROC", tmp_path)

    started = 500 * os.sysconf("SC_CLK_TCK")
    state = Health()
    kernel(boot=1_000_000_000)
    before = [state.status(), state.status()]
    kernel(boot=1_000_086_400)

    assert before == 2 * [{"status": HEALTHY, "time_of_last_update": 1_000_000_500}]
    assert state.status()["time_of_last_update"] == 1_000_086_900
    assert not any(isinstance(held, float) for held in vars(state).values())


def test_time_before_the_first_invocation_is_this_processes_start_and_stands(handler):
    told = {_ping(handler)["time_of_last_update"] for _ in range(5)}

    assert len(told) == 1
    assert 0 <= time.time() - told.pop() < 3600


def test_without_a_kernel_to_ask_the_first_ping_is_remembered(tmp_path, monkeypatch, now):
    monkeypatch.setattr(health, "_PROC", tmp_path)
    state = Health()
    first = state.status()
    now[0] += 100

    assert first == state.status() == {"status": HEALTHY, "time_of_last_update": 2_000_000_000}


def test_ping_has_the_members_of_the_contract_only(handler):
    assert set(_ping(handler)) == {"status", "time_of_last_update"}


def test_details_tell_what_runs_and_versions_of_secrets_and_no_value(handler):
    def details():
        return handler.client.get("/ping?details=1").json()

    before = details()
    handler.ask()
    after = details()

    assert set(before) == {"status", "time_of_last_update", "details"}
    assert before["details"] == {"agent": "tide", "version": "1.2.3", "bundle": "2" * 64, "secrets": {}}
    assert list(after["details"]["secrets"]) == ["MODEL_KEY"]
    assert after["details"]["secrets"]["MODEL_KEY"] not in ("", KEY)
    assert KEY not in json.dumps(after)


@pytest.mark.parametrize(
    ("session", "status"), [("a" * 32, 400), ("a" * 33, 200), ("a" * 256, 200), ("a" * 257, 400), ("", 200)]
)
def test_session_ids_have_the_length_that_agentcore_gives_them(handler, session, status):
    response = handler.client.post("/invocations", json={"prompt": "Hello"}, headers={SESSION_HEADER: session})

    assert response.status_code == status
    if status == 200:
        assert response.json()["session_id"] == session or not session
    else:
        assert f"33 to 256 characters, not {len(session)}" in response.json()["error"]["message"]


def test_user_is_noted_in_traces_and_nowhere_else(handler, endpoint, monkeypatch):
    import strands

    noted = []
    own = strands.Agent.__init__

    def noting(self, *arguments, **more):
        noted.append(more["trace_attributes"])
        own(self, *arguments, **more)

    monkeypatch.setattr(strands.Agent, "__init__", noting)
    headers = {SESSION_HEADER: SESSION, "X-Amzn-Bedrock-AgentCore-Runtime-User-Id": "ada" * 200}
    answer = handler.client.post("/invocations", json={"prompt": "Hello"}, headers=headers)
    handler.ask()

    assert noted == [{"session.id": SESSION, "user.id": ("ada" * 200)[:256]}, {"session.id": SESSION}]
    assert "ada" not in answer.text + endpoint.requests[0].raw.decode() + str(endpoint.requests[0].headers)
