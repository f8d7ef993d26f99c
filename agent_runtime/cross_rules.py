"""The rules of a blueprint over several fields: what a provider would silently ignore, and what cannot be together.

Each function gives every fault that it finds, so that one run shows them all. One that looks at a field which is wrong
by itself is passed over (`agent_runtime.partial`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.addresses import reach_of_url
from agent_runtime.blueprint_rules import GATEWAY, PORTS
from agent_runtime.expansion import holds_reference
from agent_runtime.strict import Fault
from agent_runtime.tool_gateway import gateway_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent_runtime.blueprint import Blueprint, Model, Runtime
    from agent_runtime.blueprint_blocks import Budget, Check, DataProtection, Observability, Tool, ToolGateway

_SIGNS_WITH_ROLE = "which signs with the runtime's role"
# Provider to the fields of the connection that it takes; another would have no effect.
_TAKES = {
    "bedrock": frozenset[str](),
    "anthropic": frozenset({"api_key_env", "base_url", "extra_headers_env"}),
    "litellm": frozenset({"api_key_env", "base_url", "extra_headers_env"}),
    "openai": frozenset({"api_key_env", "base_url", "extra_headers_env"}),
    "vertex": frozenset({"api_key_env"}),
}
_WANTS_KEY = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "vertex": "GOOGLE_API_KEY"}
_CACHES_BY_ITSELF = ("openai", "vertex")
_TAKES_CACHE_KEY = ("openai", "litellm")
_PLAIN_CACHE = ("default", "none")
_TEMPERATURE_WHILE_THINKING = 1


def tool_faults(tool: Tool) -> Iterator[Fault]:
    """Find a tool that is none, or more than one."""
    kinds = [name for name in ("python", "builtin", "mcp") if getattr(tool, name) is not None]
    if len(kinds) != 1:
        found = f"has {' and '.join(kinds)}" if kinds else "names no tool"
        yield Fault(found, "write one of python: module:function, builtin: name, mcp: {url: ...} for each tool")


def server_faults(tool: Tool) -> Iterator[Fault]:
    """Find a server of tools that cannot be reached, or in two ways."""
    if tool.mcp is None:
        return
    if bool(tool.mcp.url) == bool(tool.mcp.command):
        found = "has url and command" if tool.mcp.url else "has neither url nor command"
        yield Fault(found, "write url for a server elsewhere, command for one beside the agent", ("mcp",))
    if tool.mcp.headers_env and not tool.mcp.url:
        yield Fault(
            "headers_env has no effect without url", "remove it, or write the server's url", ("mcp", "headers_env")
        )
    if tool.mcp.environment_env and not tool.mcp.command:
        yield Fault(
            "environment_env has no effect without command",
            "write headers_env for a server elsewhere, or the server's command",
            ("mcp", "environment_env"),
        )


def tool_gateway_faults(gateway: ToolGateway) -> Iterator[Fault]:
    """Find a gateway of tools to which the agent could not prove who it is."""
    if gateway.jwt_env_var and gateway.auth_type != "custom_jwt":
        yield Fault(
            f"jwt_env_var has no effect with auth_type {gateway.auth_type}",
            "set auth_type: custom_jwt, or remove jwt_env_var",
            ("jwt_env_var",),
        )
    if gateway.url is None:
        return
    if gateway.auth_type == "custom_jwt" and gateway.jwt_env_var is None:
        yield Fault("the gateway wants a token", "add jwt_env_var: the name of the token's secret", ("auth_type",))
    is_signed_for = gateway_at(gateway.url) or reach_of_url(gateway.url) == "loopback"
    if gateway.auth_type == "aws_iam" and not is_signed_for:
        yield Fault(
            "is not the address of an AgentCore gateway, and a signature is for one",
            "write https://<id>.gateway.bedrock-agentcore.<region>.amazonaws.com/mcp, or another auth_type",
            ("url",),
        )


def runtime_faults(runtime: Runtime) -> Iterator[Fault]:
    """Find limits that contradict each other, and a port that AgentCore would not call."""
    if runtime.port not in (None, PORTS[runtime.protocol]):
        yield Fault(
            f"AgentCore calls {runtime.protocol} at port {PORTS[runtime.protocol]}",
            "remove it: the port follows the protocol",
            ("port",),
        )
    if runtime.idle_timeout_minutes > runtime.max_lifetime_minutes:
        at = "idle_timeout_minutes" if "idle_timeout_minutes" in runtime.model_fields_set else "max_lifetime_minutes"
        yield Fault(
            f"the idle timeout of {runtime.idle_timeout_minutes} minutes is above the lifetime of "
            f"{runtime.max_lifetime_minutes}",
            "set idle_timeout_minutes to max_lifetime_minutes or less",
            (at,),
        )


def protection_faults(protection: DataProtection) -> Iterator[Fault]:
    """Find settings of a filter that is not the chosen one, and a filter that could not start."""
    owners = {
        "bedrock": ("guardrail_id_env", "guardrail_version_env"),
        "presidio": ("presidio_entities", "presidio_language", "action"),
    }
    for owner, names in owners.items():
        for name in names:
            if protection.provider != owner and getattr(protection, name) != _default(protection, name):
                yield Fault(
                    f"{name} has no effect with data protection by {protection.provider}",
                    f"set provider: {owner}, or remove {name}",
                    (name,),
                )
    if protection.provider == "bedrock":
        for name in owners["bedrock"]:
            if getattr(protection, name) is None:
                yield Fault(f"{name} is missing: the guardrail could not be called", f"add {name}", ("provider",))
    if protection.provider != "none" and not (protection.on_input or protection.on_output):
        yield Fault("filters neither input nor output", "set on_input or on_output to true", ("on_input",))


def trace_faults(observability: Observability) -> Iterator[Fault]:
    """Find traces that nobody would get, and traces that would tell what data protection keeps back."""
    otlp = observability.otlp
    if otlp is None:
        return
    if not observability.enabled:
        yield Fault("otlp has no effect with enabled: false", "remove it, or set enabled: true", ("otlp",))
    if otlp.content and observability.data_protection.provider != "none":
        yield Fault(
            "the traces would hold the personal data that data_protection keeps from the model and from the answer",
            "remove content",
            ("otlp", "content"),
        )
    secret = {header.lower() for header in otlp.headers_env}
    for header in otlp.headers:
        if header.lower() in secret:
            yield Fault(f"{header} is in headers_env too", "keep one of the two", ("otlp", "headers", header))


def check_faults(check: Check) -> Iterator[Fault]:
    """Find a check that any answer passes."""
    expectations = {name: field for name, field in type(check).model_fields.items() if not field.is_required()}
    if all(getattr(check, name) == field.get_default() for name, field in expectations.items()):
        yield Fault("expects nothing, so every answer passes", "add contains, regex or another expectation", ("name",))


def budget_faults(budget: Budget) -> Iterator[Fault]:
    """Find a budget that limits nothing."""
    if budget.max_usd is None and budget.rpm is None and budget.tpm is None:
        yield Fault("limits nothing", "add max_usd, rpm or tpm")


def _default(protection: DataProtection, name: str) -> object:
    return type(protection).model_fields[name].get_default(call_default_factory=True)


def _ignored_connection(model: Model) -> Iterator[Fault]:
    for name in ("base_url", "api_key_env", "extra_headers_env"):
        if getattr(model, name) and name not in _TAKES[model.provider]:
            reason = f", {_SIGNS_WITH_ROLE}" if model.provider == "bedrock" else ""
            yield Fault(
                f"{name} has no effect with provider {model.provider}{reason}",
                f"set provider: litellm, or remove {name}",
                (name,),
            )
    if model.base_url == GATEWAY and model.provider in ("anthropic", "openai"):
        yield Fault("the gateway is reached with provider litellm", "set provider: litellm", ("base_url",))


def _missing_key(model: Model) -> Iterator[Fault]:
    sample = _WANTS_KEY.get(model.provider)
    # A server of one's own may want no key.
    if sample and not model.api_key_env and not model.base_url:
        yield Fault(
            f"provider {model.provider} wants a key",
            f"add api_key_env: {sample}, or the name of your own",
            ("provider",),
        )


def _wrong_client(model: Model) -> Iterator[Fault]:
    if model.client == "auto":
        return
    if model.provider != "litellm":
        yield Fault(f"client has no effect with provider {model.provider}", "remove it", ("client",))
    elif model.client == "openai" and not model.base_url:
        yield Fault("client openai has no address to call", "add base_url, or remove client", ("client",))


def _wrong_cache(model: Model) -> Iterator[Fault]:
    for name in ("cache_prompt", "cache_tools"):
        key = getattr(model, name)
        takes_key = name == "cache_prompt" and model.provider in _TAKES_CACHE_KEY
        if key == "default" and model.provider in _CACHES_BY_ITSELF:
            yield Fault(
                f"{name} has no effect with provider {model.provider}, which caches by itself",
                f"remove {name}",
                (name,),
            )
        elif key not in _PLAIN_CACHE and not takes_key:
            yield Fault(f"provider {model.provider} takes no key for {name}", "write default or none", (name,))


def _same_headers(model: Model) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for header in model.extra_headers_env:
        other = seen.setdefault(header.lower(), header)
        if other != header:
            at = ("extra_headers_env", header)
            yield Fault(f"{other} and {header} are the same header", "keep one of the two", at)


def _out_of_reach(agent: Blueprint) -> Iterator[Fault]:
    url = agent.model.base_url
    if agent.uses_gateway and agent.runtime.network_mode == "PUBLIC":
        yield Fault(
            "network_mode PUBLIC cannot reach base_url: gateway, whose load balancer is inside the VPC",
            "set runtime.network_mode: PRIVATE, or leave it out",
            ("runtime", "network_mode"),
        )
    elif url and not holds_reference(url) and reach_of_url(url) == "private" and agent.network_mode == "PUBLIC":
        yield Fault(
            "leads to a private address, which network_mode PUBLIC cannot reach",
            "set runtime.network_mode: PRIVATE, or name a public host",
            ("model", "base_url"),
        )


def _thinking(agent: Blueprint) -> Iterator[Fault]:
    thinking, model = agent.thinking, agent.model
    if thinking is None or not thinking.enabled:
        return
    if model.provider == "openai":
        hint = "write model.params: {reasoning_effort: medium}"
        yield Fault("thinking has no effect with provider openai", hint, ("thinking",))
    if thinking.budget_tokens >= model.max_tokens:
        yield Fault(
            f"the thinking budget of {thinking.budget_tokens} tokens leaves none of max_tokens {model.max_tokens} for "
            "the answer",
            "raise model.max_tokens, or lower thinking.budget_tokens",
            ("thinking", "budget_tokens"),
        )
    if model.provider in ("anthropic", "bedrock") and model.temperature != _TEMPERATURE_WHILE_THINKING:
        yield Fault(
            "a model that thinks takes no other temperature than 1",
            "set temperature: 1, or thinking.enabled: false",
            ("model", "temperature"),
        )


def _protection_of_model(agent: Blueprint) -> Iterator[Fault]:
    if agent.observability.data_protection.provider == "bedrock" and agent.model.provider != "bedrock":
        yield Fault(
            f"a Bedrock guardrail does not see what provider {agent.model.provider} is sent",
            "set data_protection.provider: presidio, which works with any model",
            ("observability", "data_protection", "provider"),
        )


def _secrets_among_variables(agent: Blueprint) -> Iterator[Fault]:
    for name in agent.runtime.environment:
        if name in agent.secret_names:
            yield Fault(
                f"{name} is a secret of this agent, and runtime.environment is plain text",
                "remove it: the runtime reads the secret itself",
                ("runtime", "environment", name),
            )


def _overlays(agent: Blueprint) -> Iterator[Fault]:
    for environment, overlay in agent.environments.items():
        for name in ("id", "environments"):
            if name in overlay:
                at = ("environments", environment, name)
                yield Fault(f"{name} is the same in every environment", "remove it", at)


def _twice(agent: Blueprint) -> Iterator[Fault]:
    names = [check.name for check in agent.checks]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Fault("two checks have this name", "give one of them another", ("checks", index, "name"))


def _idle_checks(agent: Blueprint) -> Iterator[Fault]:
    """Find expectations that no answer of this agent could show, and ways of running checks that run nothing."""
    for index, check in enumerate(agent.checks):
        if check.tools is not None and agent.runtime.protocol != "HTTP":
            message = f"an agent that speaks {agent.runtime.protocol} does not tell which tools it calls"
            yield Fault(message, "remove tools", ("checks", index, "tools"))
        if check.output_schema is not None and agent.output_schema is None:
            message = "no answer is structured: the agent has no output_schema"
            yield Fault(
                message, "add output_schema to the agent, or remove it here", ("checks", index, "output_schema")
            )
        if ":" in (check.output_schema or "") and agent.output_schema not in (None, check.output_schema):
            message = "a class is known to the agent only, which holds its answers to another schema"
            yield Fault(message, "name a file of the schemas folder", ("checks", index, "output_schema"))
        if check.judge is not None and agent.gate.judge_model is None:
            message = "nobody judges: gate.judge_model is missing"
            yield Fault(message, "add gate: {judge_model: a model of the gateway}", ("checks", index, "judge"))
    judged = any(check.judge is not None for check in agent.checks)
    if agent.gate.judge_model is not None and not judged:
        yield Fault("judge_model has no effect: no check has judge", "remove it", ("gate", "judge_model"))


def _idle_budget(agent: Blueprint) -> Iterator[Fault]:
    if agent.budget and not agent.uses_gateway:
        yield Fault("budget has no effect without base_url: gateway, which counts", "remove it", ("budget",))
    if agent.budget and agent.uses_gateway and agent.model.api_key_env:
        message = (
            "budget has no effect with model.api_key_env: it belongs to the key that the gateway makes for the agent"
        )
        yield Fault(message, "remove model.api_key_env, or budget", ("budget",))


MODEL_RULES = (_ignored_connection, _missing_key, _wrong_client, _wrong_cache, _same_headers)
"""What a provider would silently ignore or misunderstand."""

AGENT_RULES = (
    *(_out_of_reach, _thinking, _protection_of_model, _secrets_among_variables, _overlays, _twice),
    *(_idle_budget, _idle_checks),
)
"""What two blocks of a blueprint cannot have together."""
