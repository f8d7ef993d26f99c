"""Agents that speak MCP and A2A, deployed, and called as boto3 calls them."""

from __future__ import annotations

import json
import secrets

import pytest

pytestmark = pytest.mark.e2e


def _session():
    return f"test-{secrets.token_hex(20)}"


def _call(project, agent, method, params, **parameters):
    """Sends one JSON-RPC request; gives the answer of boto3 and the messages in its body."""
    answer = project.client("bedrock-agentcore").invoke_agent_runtime(
        agentRuntimeArn=project.runtime_arn(agent),
        qualifier="live",
        contentType="application/json",
        accept="application/json, text/event-stream",
        payload=json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(),
        **parameters,
    )
    body = answer["response"].read().decode()
    lines = [line.removeprefix("data:") for line in body.splitlines() if line.startswith("data:")]
    return answer, [json.loads(line) for line in lines or [body]]


def test_mcp_agent_is_a_tool_and_its_session_a_conversation(project):
    # Given the tool that a client finds
    found, (listed,) = _call(project, "tides", "tools/list", {}, mcpProtocolVersion="2025-11-25")
    (tool,) = listed["result"]["tools"]
    assert (tool["name"], tool["description"]) == ("tides", "Knows the tides.")
    # When it calls the tool twice in the session that AgentCore gave it
    results = []
    for prompt in ("My name is Ada.", "What is my name?"):
        call = {"name": tool["name"], "arguments": {"prompt": prompt}, "_meta": {"progressToken": "p"}}
        _, messages = _call(project, "tides", "tools/call", call, mcpSessionId=found["mcpSessionId"])
        assert [message.get("method") for message in messages] == ["notifications/progress", None]
        results.append(messages[-1]["result"])
    # Then both are answers of the agent, and the second call knew of the first
    assert all(result["content"][0]["text"] for result in results)
    assert results[1]["_meta"]["strandline/answer"]["agent"] == "tides"
    request = project.provider.requests[-1]
    assert "Ada" in json.dumps(request.body["messages"])
    assert request.header("authorization") == f"Bearer {project.canaries['DIRECT_API_KEY']}"


def test_a2a_agent_has_a_card_and_works_on_tasks(project):
    # Given the card
    session = _session()
    arn = project.runtime_arn("peer")
    client = project.client("bedrock-agentcore")
    card = client.get_agent_card(agentRuntimeArn=arn, qualifier="live", runtimeSessionId=session)["agentCard"]
    assert (card["name"], card["skills"][0]["id"]) == ("Speaks A2A", "peer")
    assert card["url"].startswith(f"{project.cloud.url}/runtimes/")
    # When a message is sent
    message = {"role": "user", "messageId": "m-1", "parts": [{"kind": "text", "text": "Say something."}]}
    _, (sent,) = _call(project, "peer", "message/send", {"message": message}, runtimeSessionId=session)
    # Then its task has the answer
    task = sent["result"]
    assert task["status"]["state"] == "completed"
    assert task["artifacts"][0]["parts"][0]["text"]
    assert task["metadata"]["strandline/answer"]["agent"] == "peer"
    _, (read,) = _call(project, "peer", "tasks/get", {"id": task["id"]}, runtimeSessionId=session)
    assert read["result"]["artifacts"] == task["artifacts"]


def test_a2a_agent_streams(project):
    message = {"role": "user", "messageId": "m-1", "parts": [{"kind": "text", "text": "Say something."}]}
    answer, messages = _call(project, "peer", "message/stream", {"message": message}, runtimeSessionId=_session())
    assert answer["contentType"].startswith("text/event-stream")
    kinds = [message["result"]["kind"] for message in messages]
    assert kinds[0] == "task"
    assert "artifact-update" in kinds
    assert messages[-1]["result"]["status"]["state"] == "completed"


@pytest.mark.parametrize("agent", ["tides", "peer"])
def test_command_line_speaks_the_agents_protocol(project, agent):
    session = _session()
    told = project.run("invoke", agent, "--env", "local", "--session", session, "--json", "My name is Ada.")
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert (answer["agent"], answer["session_id"]) == (agent, session)
    assert answer["text"]
    assert answer["usage"]["total_tokens"] > 0
    again = project.run("invoke", agent, "--env", "local", "--session", session, "What is my name?")
    assert again.returncode == 0, again.stderr
    assert "Ada" in json.dumps(project.provider.requests[-1].body["messages"])


@pytest.mark.parametrize("agent", ["tides", "peer"])
def test_command_line_tells_a_failure_of_the_agent(project, agent):
    told = project.run("invoke", agent, "--env", "local", " ")
    assert told.returncode == 1
    assert "bad_request" in told.stderr
    assert "Traceback" not in told.stderr
