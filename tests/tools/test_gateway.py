"""An AgentCore gateway as a server of tools: a token from a secret, or a signature that can be verified."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from agent_runtime.tool_gateway import gateway_at
from tests.support.equipped_handler import TEST_MODEL
from tests.support.openai_server import Reply, ToolCall
from tests.tools.conftest import KEY
from tests.tools.mcp_http import McpHttpServer

ACCESS_KEY, SECRET_KEY, TOKEN = "AKIAIOSFODNN7EXAMPLE", "canary-role-secret", "canary-session-token"


@pytest.fixture
def gateway():
    """A gateway that takes everybody and remembers what they showed."""
    with McpHttpServer(None) as server:
        yield server


@pytest.fixture(autouse=True)
def role(monkeypatch):
    """The runtime's role, as the process finds it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)


def ask_for_tide(endpoint):
    endpoint.script(TEST_MODEL, Reply(text="", tool_calls=(ToolCall("tide", {"place": "Cork"}),)), Reply(text="Done."))


def verified(request, url):
    """Signs a request as it arrived, by AWS's recipe ("Create a signed AWS API request", IAM User Guide)."""
    headers = request["headers"]
    scheme, _, rest = headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    access_key, day, region, service, ending = parts["Credential"].split("/")
    names = parts["SignedHeaders"].split(";")
    canonical = "\n".join(
        [
            request["method"],
            "/mcp",
            "",
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            parts["SignedHeaders"],
            hashlib.sha256(request["body"]).hexdigest(),
        ]
    )
    scope = f"{day}/{region}/{service}/{ending}"
    text = "\n".join([scheme, headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET_KEY}".encode()
    for step in (day, region, service, ending, text):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(names)
    assert (access_key, scheme) == (ACCESS_KEY, "AWS4-HMAC-SHA256")
    assert headers["host"] in url
    return (region, service), key.hex() == parts["Signature"]


def test_requests_are_signed_with_the_runtimes_role(serve, endpoint, gateway):
    ask_for_tide(endpoint)

    handler = serve(gateway={"url": gateway.url})
    assert gateway.requests == []
    assert handler.ask()["result"]["content"] == [{"text": "Done."}]

    assert {request["method"] for request in gateway.requests} >= {"POST"}
    for request in gateway.requests:
        assert verified(request, gateway.url) == (("eu-central-1", "bedrock-agentcore"), True)
        assert request["headers"]["x-amz-security-token"] == TOKEN
    assert "high in Cork" in str(endpoint.requests[1].body["messages"])


def test_token_of_the_secret_is_sent(serve, endpoint, gateway):
    ask_for_tide(endpoint)
    handler = serve(gateway={"url": gateway.url, "auth_type": "custom_jwt", "jwt_env_var": "TOOLS_KEY"})

    handler.ask()

    assert {request["headers"]["authorization"] for request in gateway.requests} == {f"Bearer {KEY}"}
    assert SECRET_KEY not in str(gateway.requests)


def test_gateway_that_wants_nothing_is_shown_nothing(serve, endpoint, gateway):
    ask_for_tide(endpoint)

    serve(gateway={"url": gateway.url, "auth_type": "none"}).ask()

    assert gateway.requests
    assert not any("authorization" in request["headers"] for request in gateway.requests)


def test_tools_of_the_gateway_and_of_servers_go_together(serve, endpoint, gateway):
    with McpHttpServer(KEY) as other:
        server = {"mcp": {"url": other.url, "headers_env": {"X-Api-Key": "TOOLS_KEY"}, "allow": ["book"]}}
        error = serve(gateway={"url": gateway.url, "auth_type": "none"}, tools=[server]).invoke({"prompt": "Hi"}).json()

    # Both have a tool `book`: neither takes the other's place.
    assert error["error"]["type"] == "tools_unavailable"
    assert "two tools" in error["error"]["message"].lower()


def test_gateway_without_an_address_is_not_asked(serve, endpoint):
    serve(gateway={"auth_type": "aws_iam"}).ask()

    assert not endpoint.requests[0].body.get("tools")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://tides-a1b2.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp", ("tides-a1b2", "us-east-1")),
        ("https://t.gateway.bedrock-agentcore.cn-north-1.amazonaws.com.cn", ("t", "cn-north-1")),
        ("https://t.gateway.bedrock-agentcore.us-east-1.amazonaws.com.evil.example/mcp", None),
        ("https://gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp", None),
        ("http://t.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp", None),
        ("https://t.gateway.bedrock-agentcore.us-east-1.amazonaws.com:444/mcp", None),
    ],
)
def test_address_says_which_gateway_it_is_and_where(url, found):
    gateway = gateway_at(url)
    assert (gateway and (gateway.gateway_id, gateway.region)) == found
