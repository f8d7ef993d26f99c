"""What AgentCore passes to a server of each protocol, and where."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.local_cloud.templates import agent


@pytest.fixture(scope="module")
def deployed(aws, code):
    """ARNs of runtimes by protocol; the MCP server has no `/ping`, as the contract has none."""
    modes = {"HTTP": "good", "MCP": "no-ping", "A2A": "good"}
    arns = {}
    for protocol, mode in modes.items():
        template = agent(
            f"speaks{protocol}",
            ProtocolConfiguration=protocol,
            EnvironmentVariables={"MODE": mode},
            RequestHeaderConfiguration={"RequestHeaderAllowlist": ["A2A-Version"]},
        )
        arns[protocol] = aws.deploy(f"speaks-{protocol}", template).outputs["Arn"]
    return arns


def invoke(aws, arn, **more):
    answer = aws.bedrock_agentcore.invoke_agent_runtime(agentRuntimeArn=arn, payload=b"{}", **more)
    return answer, json.loads(answer["response"].read())


@pytest.mark.parametrize(("protocol", "path"), [("HTTP", "/invocations"), ("MCP", "/mcp"), ("A2A", "/")])
def test_requests_go_where_the_protocol_has_them(aws, deployed, protocol, path):
    _, seen = invoke(aws, deployed[protocol], accept="application/json, text/event-stream")
    assert seen["path"] == path
    assert seen["headers"]["accept"] == "application/json, text/event-stream"


def test_mcp_session_is_agentcores_and_comes_back(aws, deployed):
    first, seen = invoke(aws, deployed["MCP"], mcpProtocolVersion="2025-11-25", mcpMethod="tools/list")
    again, still = invoke(aws, deployed["MCP"], mcpSessionId=first["mcpSessionId"])
    _, other = invoke(aws, deployed["MCP"])
    assert seen["headers"]["mcp-session-id"] == first["mcpSessionId"] == again["mcpSessionId"]
    assert seen["headers"]["x-amzn-bedrock-agentcore-runtime-session-id"] == first["mcpSessionId"]
    assert (seen["headers"]["mcp-protocol-version"], seen["headers"]["mcp-method"]) == ("2025-11-25", "tools/list")
    assert still["pid"] == seen["pid"] != other["pid"]


def test_the_other_session_header_names_an_mcp_session_too(aws, deployed):
    session = f"session-{uuid.uuid4()}"
    answer, seen = invoke(aws, deployed["MCP"], runtimeSessionId=session)
    assert answer["mcpSessionId"] == seen["headers"]["mcp-session-id"] == session


def test_a_server_that_answers_is_healthy_where_the_protocol_has_no_ping(aws, deployed):
    _, seen = invoke(aws, deployed["MCP"])
    assert seen["mode"] == "no-ping"


def test_the_card_is_that_of_the_server(aws, deployed):
    session = f"session-{uuid.uuid4()}"
    answer = aws.bedrock_agentcore.get_agent_card(agentRuntimeArn=deployed["A2A"], runtimeSessionId=session)
    assert answer["agentCard"]["path"] == "/.well-known/agent-card.json"
    assert answer["runtimeSessionId"] == session
    _, seen = invoke(aws, deployed["A2A"], runtimeSessionId=session)
    assert seen["pid"] == answer["agentCard"]["pid"]


def test_a_server_with_a_card_is_told_its_address(aws, deployed, cloud):
    _, seen = invoke(aws, deployed["A2A"])
    arn = deployed["A2A"].replace(":", "%3A").replace("/", "%2F")
    assert seen["environment"]["AGENTCORE_RUNTIME_URL"] == f"{cloud.url}/runtimes/{arn}/invocations"
    assert "AGENTCORE_RUNTIME_URL" not in invoke(aws, deployed["HTTP"])[1]["environment"]


def test_a_runtime_of_another_protocol_has_no_card(aws, deployed):
    with pytest.raises(ClientError) as refused:
        aws.bedrock_agentcore.get_agent_card(agentRuntimeArn=deployed["HTTP"])
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_the_card_is_for_those_who_may_read_it(assume, deployed):
    invoking = {"Action": "bedrock-agentcore:InvokeAgentRuntime", "Resource": "*"}
    reading = {"Action": "bedrock-agentcore:GetAgentCard", "Resource": "*"}
    reader = assume("card-reader", [reading]).bedrock_agentcore
    assert reader.get_agent_card(agentRuntimeArn=deployed["A2A"])["agentCard"]
    with pytest.raises(ClientError) as refused:
        assume("card-stranger", [invoking]).bedrock_agentcore.get_agent_card(agentRuntimeArn=deployed["A2A"])
    assert "AccessDenied" in refused.value.response["Error"]["Code"]
