"""What the published blueprint format knows and this version refuses, each with what to do instead.

Refused by name: guessing what else such a field could mean, or dropping it, would be worse.
"""

from __future__ import annotations

from collections.abc import Mapping

LATER_FIELDS: Mapping[str, str] = {
    "artifacts": "remove it; the agent's answer goes to its caller",
    "evaluation": "remove it; checks hold what a new version must pass",
    "hooks": "remove it; observability and data protection are on without it",
    "identity": "remove it; callers are authorised by IAM, and keys come from api_key_env and extra_headers_env",
    "memory": "remove it; a session keeps its conversation while it lives",
    "multi_agent": "remove it, and deploy each agent by itself",
    "policy": "remove it; name the tools that the agent may use in mcp.allow",
    "gateway.region": "remove it; gateway.url says it",
    "gateway.service_name": "remove it",
    "observability.audit_log": "remove it; invocations are logged to CloudWatch",
    "observability.dashboard": "remove it",
    "observability.langfuse": "name Langfuse's address in observability.otlp.endpoint, and its key in headers_env",
    "observability.data_protection.cloudwatch_masking_identifiers": "remove it; prompts and answers are not logged",
    "runtime.a2a_port": "remove it",
    "runtime.observability_enabled": "write observability: {enabled: true} or false",
    "tools[].a2a": "remove it, and call the other agent from a python tool",
    "tools[].network_mode": "remove it; a tool runs where the agent runs",
    "tools[].tools": "name the tools in mcp: {url: https://..., allow: [tool, ...]}",
}
