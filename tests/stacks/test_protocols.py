"""An agent's protocol, from the blueprint to the runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stacks.conftest import ENVIRONMENTS
from tests.stacks.projects import blueprint, synthesise, write_project

if TYPE_CHECKING:
    from pathlib import Path


def test_the_runtime_serves_the_blueprints_protocol(tmp_path: Path) -> None:
    agents = [blueprint(protocol.lower(), runtime={"protocol": protocol}) for protocol in ("HTTP", "MCP", "A2A")]
    root = write_project(tmp_path / "project", agents, {"simulation": ENVIRONMENTS["simulation"]})

    assembly = synthesise(root, tmp_path / "assembly")

    runtimes = {
        path.rpartition("-")[2]: resource["Properties"]
        for path, _, resource in assembly.resources("AWS::BedrockAgentCore::Runtime")
    }
    told = {name: runtime["ProtocolConfiguration"] for name, runtime in runtimes.items()}
    assert told == {"http": "HTTP", "mcp": "MCP", "a2a": "A2A"}
    # AgentCore passes a header of A2A's on only if it is listed.
    headers = {name: runtime.get("RequestHeaderConfiguration") for name, runtime in runtimes.items()}
    listed = {"RequestHeaderAllowlist": ["A2A-Version", "A2A-Extensions"]}
    assert headers == {"http": None, "mcp": None, "a2a": listed}
