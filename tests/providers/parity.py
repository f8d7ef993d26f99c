"""The same conversation through every way to an OpenAI-compatible endpoint: what each sends, what each yields.

`light` and `litellm` are the models that a blueprint with `client: openai` and `client: litellm` gets; `published` is
Strands' LiteLLM model as the documentation of the blueprint format has it, without any code of ours.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import os
import warnings
from dataclasses import dataclass, field
from typing import Any

from agent_runtime.blueprint import Blueprint
from agent_runtime.model_answers import ModelAnswers, model_answers
from agent_runtime.providers import build_model_source, system_prompt_of
from agent_runtime.secret_store import SecretStore
from agent_runtime.settings import RuntimeSettings
from tests.support.openai_server import OpenAIServer, Reply, ToolCall
from tests.support.secrets_manager import SecretsManager

KEY = "sk-parity-0123456789"
# What a client library says of itself, and what the connection needs.
_OWN_HEADERS = ("user-agent", "x-stainless-", "host", "content-length", "connection", "accept", "accept-encoding")
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def tool(name: str, properties: dict[str, Any] | None = None, **schema: Any) -> dict[str, Any]:
    """A tool's specification."""
    whole = {"type": "object", "properties": properties or {}, **schema}
    return {"name": name, "description": f"The tool {name}.", "inputSchema": {"json": whole}}


LOOKUP = tool("lookup", {"word": {"type": "string"}, "mode": {"enum": ["short", "long"]}}, required=["word"])
CLOCK = tool("clock")


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": one} if isinstance(one, str) else one for one in content]}


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"text": one} if isinstance(one, str) else one for one in content]}


def tool_use(identity: str = "call_1", name: str = "lookup", **arguments: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": identity, "name": name, "input": arguments}}


def tool_result(*content: Any, identity: str = "call_1", status: str = "success") -> dict[str, Any]:
    blocks = [{"text": one} if isinstance(one, str) else one for one in content]
    return {"toolResult": {"toolUseId": identity, "status": status, "content": blocks}}


def image(kind: str = "png") -> dict[str, Any]:
    return {"image": {"format": kind, "source": {"bytes": PIXEL}}}


def document(kind: str = "pdf") -> dict[str, Any]:
    return {"document": {"format": kind, "name": "report", "source": {"bytes": b"%PDF-1.4 report"}}}


@dataclass(frozen=True)
class Case:
    """One conversation.

    Attributes:
        name: What is special about it.
        messages: The conversation.
        reply: What the endpoint answers.
        system: The system prompt as text, as blocks, or none.
        tools: The tools that the model may ask for.
        tool_choice: Strands' choice of tools.
        model: Further members of the blueprint's `model`.
        thinking: The blueprint's `thinking`.
        headers: Extra headers; None is a secret without a value.
        key: Whether the blueprint names a key.
        published: Why what the published way sends is another thing; nothing when it is the same.
    """

    name: str
    messages: tuple[dict[str, Any], ...] = (user("Hello"),)
    reply: Reply = field(default_factory=Reply)
    system: str | list[dict[str, Any]] | None = "You answer briefly."
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: dict[str, Any] | None = None
    model: dict[str, Any] = field(default_factory=dict)
    thinking: dict[str, Any] | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    key: bool = True
    published: str = ""

    @property
    def model_id(self) -> str:
        """The model that is asked."""
        return self.model.get("model_id", "house-model")


@dataclass(frozen=True)
class Outcome:
    """What one client did.

    Attributes:
        requests: Path, headers that carry meaning, and body of each request.
        events: What it yielded.
        error: Class and text of what it raised.
        told: What the endpoint told of its answers.
    """

    requests: list[tuple[str, dict[str, str], dict[str, Any]]]
    events: list[Any]
    error: tuple[str, str] | None
    told: ModelAnswers

    @property
    def body(self) -> dict[str, Any]:
        """Body of the first request."""
        return self.requests[0][2]


def run(case: Case, client: str) -> Outcome:
    """Has one client hold the conversation with a server of its own."""
    with OpenAIServer() as server, warnings.catch_warnings():
        # LiteLLM's own, at its import.
        warnings.simplefilter("ignore")
        server.script(case.model_id.removeprefix("litellm_proxy/"), case.reply)
        told = ModelAnswers()
        events, error = asyncio.run(_collect(case, client, server.base_url, told))
        requests = [(request.path, _meaningful(request.headers), request.body) for request in server.requests]
    return Outcome(requests, events, error, told)


def blueprint_of(case: Case, client: str, base_url: str) -> Blueprint:
    """The blueprint that has this case's model."""
    model = {
        "provider": "litellm",
        "base_url": base_url,
        "client": {"light": "openai"}.get(client, client),
        "model_id": "house-model",
        "temperature": 0.2,
        "max_tokens": 4096,
        "num_retries": 0,
        "extra_headers_env": {header: _variable(header) for header in case.headers},
        **({"api_key_env": "MODEL_KEY"} if case.key else {}),
        **case.model,
    }
    block = {"thinking": case.thinking} if case.thinking else {}
    whole = {"id": "parity", "name": "Parity", "version": "1.0.0", "prompt_ref": "parity", "model": model, **block}
    return Blueprint.model_validate(whole)


async def _collect(
    case: Case, client: str, base_url: str, told: ModelAnswers
) -> tuple[list[Any], tuple[str, str] | None]:
    model_answers.set(told)
    model, source = await _model(case, client, base_url)
    blocks = _system(case)
    text = "\n".join(block["text"] for block in blocks if "text" in block) if blocks else None
    events: list[Any] = []
    error = None
    try:
        async for event in model.stream(
            list(case.messages),
            list(case.tools) or None,
            text,
            tool_choice=case.tool_choice,
            system_prompt_content=blocks,
        ):
            events.append(event)
    except Exception as raised:
        error = (type(raised).__name__, str(raised))
    if source is not None:
        await source.client.close()
    return events, error


async def _model(case: Case, client: str, base_url: str) -> tuple[Any, Any]:
    if client == "published":
        return _published(case, base_url), None
    values = {_variable(header): value for header, value in case.headers.items() if value is not None}
    manager = SecretsManager(MODEL_KEY=KEY, **values)
    secrets = SecretStore(prefix="strandline/test/", environment="test", client_factory=lambda: manager)
    source = build_model_source(blueprint_of(case, client, base_url), _settings(), secrets)
    return await source.current(), source


def _published(case: Case, base_url: str) -> Any:
    os.environ["LITELLM_MODE"], os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "PRODUCTION", "True"
    from strands.models.litellm import LiteLLMModel

    arguments = {
        "custom_llm_provider": "openai",
        "api_base": base_url,
        "api_key": KEY if case.key else "",
        "extra_headers": {header: value for header, value in case.headers.items() if value},
        "num_retries": 0,
        "max_retries": 0,
    }
    numbers = {name: case.model.get(name, usual) for name, usual in (("temperature", 0.2), ("max_tokens", 4096))}
    # LiteLLM writes notes of its own into what it is given.
    params = numbers | copy.deepcopy(case.model.get("params", {}))
    if case.thinking:
        params["thinking"] = {"type": "enabled", "budget_tokens": case.thinking["budget_tokens"]}
    return LiteLLMModel(
        client_args=arguments, model_id=case.model_id, params=params, stream=case.model.get("stream", True)
    )


def _system(case: Case) -> list[Any] | None:
    if case.system is None or isinstance(case.system, list):
        return case.system
    return system_prompt_of(blueprint_of(case, "light", "http://127.0.0.1/v1"), case.system)


def _settings() -> RuntimeSettings:
    return RuntimeSettings("test", "simulation", "s3://bundles/0.json", "strandline/test/", None, None, "127.0.0.1", 1)


def _variable(header: str) -> str:
    return header.upper().replace("-", "_")


def _meaningful(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers if not name.lower().startswith(_OWN_HEADERS)}


__all__ = ["Case", "Outcome", "Reply", "ToolCall", "run"]
