"""Tools from the model's request to the model's answer, through the handler."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

from agent_runtime.errors import InputError
from agent_runtime.tools.mcp_transport import HeaderTransport
from tests.runtime.handler import Clock
from tests.support.equipped_handler import TEST_MODEL, EquippedHandler
from tests.support.openai_server import Reply, ToolCall
from tests.tools.conftest import KEY
from tests.tools.mcp_http import McpHttpServer

SERVER = Path(__file__).parent / "programs" / "tide_server.py"
FORECAST = '''
import asyncio, threading
from strands import tool

@tool
def forecast(place: str, days: int = 1) -> str:
    """Forecasts the tide.

    Args:
        place: Name of the harbour.
        days: How many days.
    """
    return f"{days} days of sun in {place}, told by {threading.current_thread().name}"

@tool
async def soon(place: str) -> dict:
    """Forecasts the tide on the loop."""
    await asyncio.sleep(0)
    return {"place": place, "thread": threading.current_thread().name}

@tool
def broken(place: str) -> str:
    """Fails."""
    raise RuntimeError("the key canary-of-a-library is wrong")

def plain(place: str) -> str:
    return place
'''


def ask_for(endpoint, *calls, answer="Done."):
    """Has the model ask for tools, one after the other, and then answer."""
    replies = [Reply(text="", tool_calls=(ToolCall(name, arguments),)) for name, arguments in calls]
    endpoint.script(TEST_MODEL, *replies, Reply(text=answer))


def results(endpoint):
    """What the tools gave, as the model saw it at last."""
    messages = endpoint.requests[-1].body["messages"]
    return [_text(message["content"]) for message in messages if message["role"] == "tool"]


def _text(content):
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def shown(endpoint):
    """The tools that the model was shown, by name."""
    return {tool["function"]["name"]: tool["function"] for tool in endpoint.requests[0].body.get("tools") or []}


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_function_is_called_in_a_thread_and_its_result_sent_back(serve, endpoint, folder, accept):
    (folder / "weather.py").write_text(FORECAST)
    handler = serve(tools=[{"python": "weather:forecast"}])
    ask_for(endpoint, ("forecast", {"place": "Cork", "days": 2}))

    answer = handler.ask() if accept == "application/json" else handler.ask_streaming()[-1]

    assert answer["result"]["content"] == [{"text": "Done."}]
    assert results(endpoint)[0].startswith("2 days of sun in Cork, told by ")
    assert "asyncio" in results(endpoint)[0]
    parameters = shown(endpoint)["forecast"]["parameters"]
    assert parameters["required"] == ["place"]
    assert parameters["properties"]["place"] == {"description": "Name of the harbour.", "type": "string"}


def test_async_function_runs_on_the_loop(serve, endpoint, folder):
    (folder / "weather.py").write_text(FORECAST)
    handler = serve(tools=[{"python": "weather:soon"}])
    ask_for(endpoint, ("soon", {"place": "Cork"}))

    handler.ask()

    thread = json.loads(results(endpoint)[0])["thread"]
    assert thread == handler.app._worker_thread.name


def test_failure_of_a_tool_is_told_to_the_model_and_logged_without_its_text(serve, endpoint, folder, caplog):
    (folder / "weather.py").write_text(FORECAST)
    handler = serve(tools=[{"python": "weather:broken"}])
    ask_for(endpoint, ("broken", {"place": "Cork"}), answer="I could not find out.")

    answer = handler.ask()

    assert answer["result"]["content"] == [{"text": "I could not find out."}]
    assert "RuntimeError" in results(endpoint)[0]
    assert "tool=<broken>, exception=<RuntimeError>" in caplog.text
    assert "canary" not in caplog.text


def test_tool_that_the_agent_has_not_is_told_to_the_model(serve, endpoint, folder):
    (folder / "weather.py").write_text(FORECAST)
    handler = serve(tools=[{"python": "weather:forecast"}])
    ask_for(endpoint, ("soon", {"place": "Cork"}))

    handler.ask()

    assert results(endpoint) == ["Unknown tool: soon"]


@pytest.mark.parametrize(
    ("source", "reference", "said"),
    [
        (FORECAST, "weather:nothing", "the module weather has no nothing"),
        (FORECAST, "weather:plain", "weather:plain is no tool: decorate it with @strands.tool"),
        (FORECAST, "wether:forecast", "there is no module wether"),
        ("x = 1\nimport os\nos.environ['canary']", "weather:forecast", "fails with KeyError at weather.py:3"),
        ("def (:", "weather:forecast", "its import fails with SyntaxError"),
    ],
)
def test_function_that_cannot_be_used_stops_the_start(serve, folder, source, reference, said):
    (folder / "weather.py").write_text(source)

    with pytest.raises(InputError) as stopped:
        serve(tools=[{"python": reference}])

    assert said in str(stopped.value)
    assert "canary" not in str(stopped.value)


def test_two_tools_of_one_name_stop_the_start(serve, folder):
    (folder / "weather.py").write_text(FORECAST)
    (folder / "sea.py").write_text(FORECAST)

    with pytest.raises(InputError, match="have the name forecast"):
        serve(tools=[{"python": "weather:forecast"}, {"python": "sea:forecast"}])


def test_users_module_does_not_take_a_librarys_place(serve, folder):
    (folder / "json.py").write_text(FORECAST)

    with pytest.raises(InputError, match="the module json has no forecast"):
        serve(tools=[{"python": "json:forecast"}])


def test_server_beside_the_agent_is_started_by_the_first_request(serve, endpoint, folder):
    handler = serve(tools=[{"mcp": {"command": ["python", str(SERVER)], "allow": ["tide", "surroundings"]}}])
    before = threading.active_count()
    ask_for(endpoint, ("tide", {"place": "Cork"}), ("surroundings", {}))

    handler.ask()

    assert before <= threading.active_count()
    assert set(shown(endpoint)) == {"tide", "surroundings"}
    assert results(endpoint)[0].startswith("high in Cork")
    seen, _, where = results(endpoint)[1].partition(" | ")
    assert "AWS_" not in seen
    assert where.startswith(str(folder))


def test_server_that_died_is_started_again(serve, endpoint):
    handler = serve(tools=[{"mcp": {"command": ["python", str(SERVER)]}}], runtime={"max_iterations": 9})
    ask_for(endpoint, ("end", {}), ("tide", {"place": "Cork"}))

    handler.ask()

    assert "broke off" in results(endpoint)[0]
    assert results(endpoint)[1].startswith("high in Cork")


def test_failure_that_the_servers_tool_tells_is_told_to_the_model(serve, endpoint, caplog):
    handler = serve(tools=[{"mcp": {"command": ["python", str(SERVER)]}}])
    ask_for(endpoint, ("fail", {"word": "canary"}))

    handler.ask()

    assert "no canary here" in results(endpoint)[0]
    assert "tool=<fail>" in caplog.text
    assert "canary" not in caplog.text


def test_program_that_is_none_is_a_clear_error(serve):
    handler = serve(tools=[{"mcp": {"command": ["python", "-m", "no_such_server"]}}])

    refused = handler.invoke({"prompt": "Hello"})

    assert (refused.status_code, refused.json()["error"]["type"]) == (502, "tools_unavailable")
    assert "python -m no_such_server cannot be reached" in refused.json()["error"]["message"]


def over_http(server, **more):
    """A tool entry for a server over HTTP."""
    return {"mcp": {"url": server.url, "headers_env": {"X-Api-Key": "TOOLS_KEY"}} | more}


def test_header_comes_from_a_secret_and_nothing_is_asked_at_start(serve, endpoint, tide_server, secrets_manager):
    handler = serve(tools=[over_http(tide_server, allow=["tide"])])
    assert (tide_server.headers, secrets_manager.calls) == ([], [])
    ask_for(endpoint, ("tide", {"place": "Cork"}))

    handler.ask()

    assert set(shown(endpoint)) == {"tide"}
    assert results(endpoint)[0].startswith("high in Cork")
    assert {headers["x-api-key"] for headers in tide_server.headers} == {KEY}
    assert secrets_manager.calls == ["strandline/test/TOOLS_KEY"]


def test_the_secrets_of_model_and_tools_are_read_by_one_call(serve, endpoint, tide_server, secrets_manager):
    for name in ("MODEL_KEY", "TEAM"):
        secrets_manager.put(name, f"canary-{name}")
    model = {
        **{"provider": "litellm", "model_id": TEST_MODEL, "temperature": 0.25, "max_tokens": 321},
        **{"base_url": endpoint.base_url, "api_key_env": "MODEL_KEY", "extra_headers_env": {"X-Team": "TEAM"}},
    }
    handler = serve(model=model, tools=[over_http(tide_server)])

    handler.ask()

    assert secrets_manager.batches == [[f"strandline/test/{name}" for name in ("MODEL_KEY", "TEAM", "TOOLS_KEY")]]


def test_tool_that_is_not_allowed_is_not_called(serve, endpoint, tide_server):
    handler = serve(tools=[over_http(tide_server, allow=["tide"])])
    ask_for(endpoint, ("book", {"place": "Cork"}))

    handler.ask()

    assert results(endpoint) == ["Unknown tool: book"]


def test_rotated_key_is_read_again_without_a_failed_call(serve, endpoint, tide_server, secrets_manager):
    handler = serve(tools=[over_http(tide_server)])
    ask_for(endpoint, ("tide", {"place": "Cork"}))
    handler.ask()
    tide_server.key = "canary-rotated"
    secrets_manager.put("TOOLS_KEY", "canary-rotated")
    ask_for(endpoint, ("tide", {"place": "Kinsale"}))

    handler.ask()

    assert results(endpoint)[-1].startswith("high in Kinsale")
    assert tide_server.headers[-1]["x-api-key"] == "canary-rotated"


def test_refused_key_is_told_by_its_status_and_never_quoted(serve, tide_server, caplog):
    tide_server.key = "another"
    handler = serve(tools=[over_http(tide_server)])

    refused = handler.invoke({"prompt": "Hello"})

    assert refused.json()["error"]["type"] == "tools_unavailable"
    said = f"The server of tools {tide_server.url} cannot be reached: it answers with HTTP status 401."
    assert refused.json()["error"]["message"] == said
    assert KEY not in refused.text + caplog.text


def test_refused_key_is_sent_again_only_if_there_is_a_newer_one(serve, tide_server, secrets_manager, clock):
    secrets = serve(tools=[over_http(tide_server)]).secrets

    async def ask():
        transport = HeaderTransport(tide_server.url, {"X-Api-Key": "TOOLS_KEY"}, secrets)
        async with httpx2.AsyncClient(transport=transport) as client:
            return (await client.post(tide_server.url, json={})).status_code

    tide_server.key = "canary-newer"
    told = [asyncio.run(ask()) for _ in range(3)]
    # The first read, and one that asked whether there is a newer version.
    assert (told, len(tide_server.headers), len(secrets_manager.batches)) == ([401] * 3, 3, 2)

    secrets_manager.put("TOOLS_KEY", "canary-newer")
    clock.now += 60
    asyncio.run(ask())
    assert [headers["x-api-key"] for headers in tide_server.headers[3:]] == [KEY, "canary-newer"]


def test_key_refused_in_the_middle_is_not_quoted_to_the_model(serve, endpoint, tide_server, caplog):
    handler = serve(tools=[over_http(tide_server)])
    ask_for(endpoint, ("tide", {"place": "Cork"}))
    handler.ask()
    tide_server.key = "another"

    handler.ask()

    assert all(KEY.encode() not in request.raw for request in endpoint.requests)
    assert KEY not in caplog.text


def test_missing_secret_is_told_as_such(serve, tide_server, secrets_manager):
    secrets_manager.refuse("TOOLS_KEY", "ResourceNotFoundException")
    handler = serve(tools=[over_http(tide_server)])

    refused = handler.invoke({"prompt": "Hello"})

    assert refused.json()["error"]["type"] == "secret_unavailable"
    assert "strandline secrets set TOOLS_KEY --env test" in refused.json()["error"]["message"]
    assert tide_server.headers == []


def test_redirect_to_another_host_gets_no_key(serve, tide_server):
    with McpHttpServer(KEY) as elsewhere:
        tide_server.redirect = elsewhere.url
        handler = serve(tools=[over_http(tide_server)])

        refused = handler.invoke({"prompt": "Hello"})

        assert refused.json()["error"]["type"] == "tools_unavailable"
        assert elsewhere.headers == []


def test_allowed_tool_that_the_server_lacks_is_a_clear_error(serve, tide_server):
    handler = serve(tools=[over_http(tide_server, allow=["tide", "moon"])])

    refused = handler.invoke({"prompt": "Hello"})

    assert f"{tide_server.url} has no moon" in refused.json()["error"]["message"]


def test_two_servers_with_one_name_of_a_tool_are_a_clear_error(serve, tide_server):
    entry = over_http(tide_server, allow=["tide"])
    handler = serve(tools=[entry, {"mcp": {"command": ["python", str(SERVER)], "allow": ["tide"]}}])

    refused = handler.invoke({"prompt": "Hello"})

    assert "Two tools of the agent have the name tide" in refused.json()["error"]["message"]


def test_server_that_was_away_is_reached_again(serve, endpoint, clock):
    with McpHttpServer(KEY) as server:
        handler = serve(tools=[over_http(server, allow=["tide"])])
        ask_for(endpoint, ("tide", {"place": "Cork"}))
        handler.ask()
    clock.now += 120
    refused = handler.invoke({"prompt": "Hello"})
    assert refused.json()["error"]["type"] == "tools_unavailable"
    with McpHttpServer(KEY, server.port):
        ask_for(endpoint, ("tide", {"place": "Kinsale"}))

        handler.ask()

    assert results(endpoint)[-1].startswith("high in Kinsale")


def test_connection_of_a_session_that_was_frozen_is_looked_at_before_it_is_used(
    endpoint, secrets_manager, folder, monkeypatch
):
    """In a microVM that was frozen the monotonic clock stands still, and the platform puts the wall clock right."""
    wall = Clock()
    monkeypatch.setattr("agent_runtime.elapsed.time", SimpleNamespace(monotonic=lambda: 0.0, time=wall))

    with McpHttpServer(KEY) as server:
        handler = EquippedHandler(endpoint, secrets_manager, None, folder, tools=[over_http(server)])
        looks = []
        for seconds in (0, 1, 3600):
            wall.now += seconds
            handler.ask()
            looks.append(sum(b'"tools/list"' in request["body"] for request in server.requests))
        handler.stop()

    assert looks == [1, 1, 2]


def test_repeatable_call_is_made_again_after_a_restart(serve, endpoint):
    with McpHttpServer(KEY) as server:
        handler = serve(tools=[over_http(server, allow=["tide"])])
        ask_for(endpoint, ("tide", {"place": "Cork"}))
        handler.ask()
    with McpHttpServer(KEY, server.port):
        ask_for(endpoint, ("tide", {"place": "Kinsale"}))

        handler.ask()

    assert results(endpoint)[-1].startswith("high in Kinsale")
