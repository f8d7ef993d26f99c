"""The blueprints whose fields are changed: one for each way to a model, with what a field needs to matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fields.schema_fields import dotted, merged

if TYPE_CHECKING:
    from agent_runtime.yaml_nodes import Path

WAYS = ("bedrock", "anthropic", "vertex", "openai", "light", "litellm", "named", "gateway")
"""Every provider; `litellm` by both of its clients, by name without an address, and through our gateway."""


@dataclass(frozen=True)
class Addresses:
    """Where the outside world is.

    Attributes:
        openai: An OpenAI-compatible endpoint.
        anthropic: Anthropic.
        tools: A server of tools.
        other_tools: Another one.
        gateway: An AgentCore gateway.
        other_gateway: Another one.
        traces: A receiver of traces.
    """

    openai: str = "https://llm.example.com/v1"
    anthropic: str = "https://api.example.com"
    tools: str = "https://tools.example.com/mcp"
    other_tools: str = "https://other.example.com/mcp"
    gateway: str = "https://tides-a1.gateway.bedrock-agentcore.eu-central-1.amazonaws.com/mcp"
    other_gateway: str = "https://tides-b2.gateway.bedrock-agentcore.eu-central-1.amazonaws.com/mcp"
    traces: str = "https://traces.example.com"


def model_of(way: str, addresses: Addresses) -> dict[str, Any]:
    """The block `model` of a blueprint that goes this way."""
    key, address = {"api_key_env": "MODEL_KEY"}, {"base_url": addresses.openai}
    # Retries would only make the failing probes longer.
    both = {"temperature": 1, "max_tokens": 8000, "num_retries": 0}
    return {
        "bedrock": {"provider": "bedrock", "model_id": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        "anthropic": {
            "provider": "anthropic",
            "model_id": "claude-sonnet-4-5",
            "base_url": addresses.anthropic,
            **key,
        },
        "vertex": {"provider": "vertex", "model_id": "gemini-2.5-pro", **key},
        "openai": {"provider": "openai", "model_id": "gpt-4o", **address, **key},
        "light": {"provider": "litellm", "model_id": "tide", "client": "openai", **address, **key},
        "litellm": {"provider": "litellm", "model_id": "tide", "client": "litellm", **address, **key},
        "named": {"provider": "litellm", "model_id": "anthropic/claude-sonnet-4-5", **key},
        "gateway": {"provider": "litellm", "model_id": "demo", "base_url": "gateway", **key},
    }[way] | both


_PRESIDIO = {"observability": {"data_protection": {"provider": "presidio"}}}
_GUARDRAIL = {
    "observability": {
        "data_protection": {
            "provider": "bedrock",
            "guardrail_id_env": "GUARDRAIL",
            "guardrail_version_env": "GUARDRAIL_VERSION",
        }
    }
}
_JUDGED = {
    "checks": [{"name": "first", "prompt": "Say so.", "judge": "It says so."}],
    "gate": {"judge_model": "other"},
}
_FUNCTION = {"tools": [{"python": "field_tools:forecast"}]}


_REFUSED = {"thinking": ("openai",), "observability.data_protection.guardrail": WAYS[1:]}


def _needs(addresses: Addresses) -> dict[str, dict[str, Any]]:
    """What a field wants beside it to mean anything, by the beginning of its path; the longest one counts."""
    server = {"tools": [{"mcp": {"url": addresses.tools}}]}
    return {
        "thinking": {"thinking": {"enabled": True, "budget_tokens": 2048}},
        "tools[].python": _FUNCTION,
        "tools[].builtin": {"tools": [{"builtin": "almanac"}]},
        "tools[].mcp": server,
        "tools[].mcp.command": {"tools": [{"mcp": {"command": ["python", "-m", "harbour"]}}]},
        "tools[].mcp.environment_env": {"tools": [{"mcp": {"command": ["python", "-m", "harbour"]}}]},
        "model.cache_tools": _FUNCTION,
        "gateway": {"gateway": {"url": addresses.gateway, "auth_type": "none"}},
        "gateway.jwt_env_var": {
            "gateway": {"url": addresses.gateway, "auth_type": "custom_jwt", "jwt_env_var": "MODEL_KEY"}
        },
        "observability.otlp": {"observability": {"otlp": {"endpoint": addresses.traces}}},
        "runtime.max_iterations": _FUNCTION,
        "observability.log_level": {"model": {"extra_headers_env": {"X-Absent": "ABSENT"}}},
        "observability.data_protection.presidio": _PRESIDIO,
        "observability.data_protection.on_": _PRESIDIO,
        "observability.data_protection.action": _PRESIDIO,
        "observability.data_protection.guardrail": _GUARDRAIL,
        "checks": {"checks": [{"name": "first", "prompt": "Say so.", "contains": ["so"]}]},
        "checks[].output_schema": {
            "output_schema": "analysis",
            "checks": [{"name": "first", "prompt": "Say so.", "contains": ["so"]}],
        },
        "checks[].judge": _JUDGED,
        "gate.judge_model": _JUDGED,
        # It belongs to the key that the gateway makes, so the agent brings none.
        "budget": {
            "budget": {"max_usd": 5, "per": "month", "rpm": 6, "tpm": 7},
            "model": {"api_key_env": None},
        },
    }


def base_document(path: Path, way: str, addresses: Addresses) -> dict[str, Any]:
    """The blueprint in which a field is changed: with what the field needs, unless that is refused on this way."""
    field = dotted(path)
    found = max((start for start in _needs(addresses) if field.startswith(start)), key=len, default=None)
    refused = any(field.startswith(start) and way in ways for start, ways in _REFUSED.items())
    return merged(
        {
            "id": "tide",
            "name": "Tide",
            "version": "1.2.3",
            "prompt_ref": "tide",
            "model": model_of(way, addresses),
            "execution_modes": {"simulation": True, "staging": True, "production": True},
        },
        _needs(addresses)[found] if found and not refused else {},
    )


def values_of(path: Path, way: str, addresses: Addresses) -> list[Any]:
    """Values for the fields whose examples would not show what they do, or not here."""
    others = {"bedrock": "eu.anthropic.claude-opus-4-5-20251101-v1:0", "named": "anthropic/claude-opus-4-5"}
    fitting = {
        "model.model_id": [others.get(way, "other")],
        "model.api_key_env": ["OTHER_KEY"],
        "model.base_url": [f"{addresses.anthropic if way == 'anthropic' else addresses.openai}/elsewhere"],
        "model.extra_headers_env": [{"X-Team": "TEAM"}],
        # Nobody waits for a minute to see where the patience ends.
        "model.timeout_seconds": [1],
        "model.num_retries": [1],
        "model.cache_prompt": ["default", "tides"],
        "model.cache_tools": ["default", "tides"],
        "runtime.max_iterations": [2],
        "runtime.max_execution_time": [1],
        "tools[].python": ["field_tools:sunrise"],
        "tools[].builtin": ["log_book"],
        "tools[].mcp.url": [addresses.other_tools],
        "tools[].mcp.command": [["python", "-m", "quay"]],
        "tools[].mcp.headers_env": [{"X-Team": "TEAM"}],
        "tools[].mcp.environment_env": [{"TIDE_TEAM": "TEAM"}],
        "tools[].mcp.allow": [["tide"]],
        "gateway.url": [addresses.other_gateway],
        "gateway.jwt_env_var": ["OTHER_KEY"],
        "observability.otlp.endpoint": [f"{addresses.traces}/elsewhere"],
        "observability.otlp.headers_env": [{"Authorization": "TEAM"}],
        "observability.data_protection.guardrail_id_env": ["OTHER_GUARDRAIL"],
        "observability.data_protection.guardrail_version_env": ["OTHER_VERSION"],
        "observability.data_protection.presidio_entities": [["EMAIL_ADDRESS"]],
        "observability.data_protection.presidio_language": ["es"],
        "environments": [{"local": {"model": {"temperature": 0.75}}}, {"production": {"description": "Live."}}],
        "budget.models": [["other"]],
        "tags": [["coast"]],
    }
    return fitting.get(dotted(path), [])
