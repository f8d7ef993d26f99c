"""Secrets of servers of tools beside the agent: in that process's environment, and nowhere else."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from agent_runtime.errors import InputError
from agent_runtime.loader import load_blueprint
from tests.support.openai_server import Reply, ToolCall
from tests.tools.conftest import KEY
from tests.tools.test_handler import ask_for, results

SERVER = Path(__file__).parent / "programs" / "token_server.py"
NEW_KEY = "canary-new-tools-key-77aa"
CACHE_SECONDS = 301


def with_token(**more):
    """A tool entry for the server."""
    return {"mcp": {"command": ["python", str(SERVER)], "environment_env": {"TIDE_TOKEN": "TOOLS_KEY"}, **more}}


def process_of(result):
    """The process that a result comes from."""
    return int(re.search(r"in process (\d+)", result)[1])


def is_running(process):
    """Whether the process is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_process_is_given_the_secret_by_the_first_request_and_sees_nothing_else(
    serve, endpoint, secrets_manager, caplog, monkeypatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-role")
    monkeypatch.setenv("TOOLS_KEY", "canary-of-the-runtime")
    handler = serve(tools=[with_token()])
    assert secrets_manager.calls == []
    ask_for(endpoint, ("token", {}), ("surroundings", {}))

    handler.ask()

    told, seen = results(endpoint)
    assert told.startswith("*** in process ")
    assert set(seen.split()) <= {
        "HOME",
        "LOGNAME",
        "PATH",
        "SHELL",
        "TERM",
        "USER",
        "PYTHONPATH",
        "TIDE_TOKEN",
        "LC_CTYPE",
    }
    assert "TIDE_TOKEN" in seen
    assert all(KEY.encode() not in request.raw for request in endpoint.requests)
    assert KEY not in caplog.text
    assert KEY not in os.environ.values()


def test_process_is_started_anew_with_a_rotated_secret(serve, endpoint, secrets_manager, clock):
    handler = serve(tools=[with_token(allow=["token"])])
    ask_for(endpoint, ("token", {}), ("token", {}))
    handler.ask()
    first, same = map(process_of, results(endpoint))
    assert first == same
    secrets_manager.put("TOOLS_KEY", NEW_KEY)
    clock.now += 2 * CACHE_SECONDS
    ask_for(endpoint, ("token", {}))

    handler.ask("Again")

    assert process_of(results(endpoint)[-1]) != first
    assert not is_running(first)
    assert all(NEW_KEY.encode() not in request.raw for request in endpoint.requests)


def test_call_in_flight_is_answered_by_the_process_that_took_it(serve, endpoint, secrets_manager, clock, tmp_path):
    handler = serve(tools=[with_token(allow=["token", "wait"])], runtime={"max_iterations": 3})
    begun, end = tmp_path / "begun", tmp_path / "end"
    model = "my-org/tide-model"
    waits = ToolCall("wait", {"begun": str(begun), "end": str(end)}, id="call_wait")
    endpoint.script(model, Reply(text="", tool_calls=(waits,)), Reply(text="Done."))
    answers = []
    first = threading.Thread(target=lambda: answers.append(handler.ask("Wait.", session="session-a" * 5)))
    first.start()
    deadline = threading.Event()
    while not begun.exists() and not deadline.wait(0.02):
        pass
    secrets_manager.put("TOOLS_KEY", NEW_KEY)
    clock.now += 2 * CACHE_SECONDS
    endpoint.script(model, Reply(text="", tool_calls=(ToolCall("token", {}),)), Reply(text="Done."))

    handler.ask("Which?", session="session-b" * 5)
    new = process_of(results(endpoint)[-1])
    end.touch()
    first.join()

    (waited,) = results(endpoint)
    assert waited.startswith("waited in process ")
    assert process_of(waited) != new
    assert not is_running(process_of(waited))
    assert is_running(new)
    assert answers[0]["result"]["content"] == [{"text": "Done."}]


def test_secret_without_a_value_is_told_as_such_and_nothing_is_started(serve, secrets_manager):
    secrets_manager.refuse("TOOLS_KEY", "ResourceNotFoundException")
    handler = serve(tools=[with_token()])

    refused = handler.invoke({"prompt": "Hello"})

    assert refused.json()["error"]["type"] == "secret_unavailable"
    assert "strandline secrets set TOOLS_KEY --env test" in refused.json()["error"]["message"]


def test_process_that_does_not_start_is_told_without_its_secret(serve, caplog):
    handler = serve(
        tools=[{"mcp": {"command": ["python", "-m", "no_such_server"], "environment_env": {"A": "TOOLS_KEY"}}}]
    )

    refused = handler.invoke({"prompt": "Hello"})

    assert refused.json()["error"]["type"] == "tools_unavailable"
    assert KEY not in refused.text + caplog.text


BASE = """\
id: tide
name: Tide
version: 1.0.0
prompt_ref: tide
model: {provider: openai, model_id: m, temperature: 0.2, max_tokens: 9, api_key_env: MODEL_KEY}
"""


@pytest.fixture
def load(tmp_path):
    """Loads a blueprint with these tools."""
    for name in ("agents", "prompts", "tools"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "prompts" / "tide.md").write_text("You know the tides.\n")
    (tmp_path / "tools" / "server.py").write_text("")

    def load_tools(text):
        path = tmp_path / "agents" / "tide.yaml"
        path.write_text(f"{BASE}tools:\n- mcp: {{{text}}}\n")
        return load_blueprint(path).blueprint

    return load_tools


def test_secret_of_a_process_is_one_of_the_agents_secrets(load):
    agent = load("command: [python, -m, server], environment_env: {GITHUB_TOKEN: TOOLS_TOKEN, OTHER: MODEL_KEY}")

    assert agent.secret_names == ("MODEL_KEY", "TOOLS_TOKEN")


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        (
            "url: 'https://tools.example.com/mcp', environment_env: {A: KEY}",
            "tools[0].mcp.environment_env",
            "no effect without command",
        ),
        (
            "command: [python, -m, server], environment_env: {PATH: KEY}",
            "tools[0].mcp.environment_env.PATH",
            "the runtime sets itself",
        ),
        (
            "command: [python, -m, server], environment_env: {TOKEN: sk-canary-0123456789abcdef}",
            "tools[0].mcp.environment_env.TOKEN",
            "looks like a secret itself",
        ),
        (
            "command: [python, -m, server], environment_env: {my-token: KEY}",
            "tools[0].mcp.environment_env.my-token",
            "is not the name of an environment variable",
        ),
        (
            "command: [python, -m, server], env: {TOKEN: KEY}",
            "tools[0].mcp.env",
            "unknown key 'env'",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(load, text, path, said):
    with pytest.raises(InputError) as refused:
        load(text)

    (problem,) = refused.value.problems
    assert problem.path == path
    assert said in problem.message
    assert "sk-canary" not in str(problem)
