"""Whether a key opens what it is for: the cheapest question that only a good key is answered.

Mostly the list of models, which costs nothing; where an endpoint has none, one token. A redirect is not followed, and
of what a provider says only its own words are told on, without anything of the key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent_runtime.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

_SECONDS = 20.0
_OK, _UNAUTHORISED, _FORBIDDEN, _TOO_MANY, _SERVERS_FAULT = 200, 401, 403, 429, 500
_NO_LIST = (404, 405)
_LONGEST_REASON = 200
_LONGEST_QUOTE = 4
"""A run of this many characters of a key is as much as a provider's words may repeat of it by chance."""


class KeyRefused(InputError):
    """Raised when what a key is for does not take it; tells the secret and what was said, never the key."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to a provider.

    Attributes:
        provider: What is asked, for messages.
        url: Where its models are listed, or whatever else only a good key opens.
        key_header: Header that carries the key; `Authorization` carries it as a bearer's.
        headers: Other headers, without secrets.
        completion_url: Where one token can be asked for, if there is no list.
        model: Model for that.
    """

    provider: str
    url: str
    key_header: str = "Authorization"
    headers: tuple[tuple[str, str], ...] = ()
    completion_url: str | None = None
    model: str | None = None


def probe_of_provider(
    provider: str,
    *,
    base_url: str | None = None,
    region: str | None = None,
    api_version: str | None = None,
    model: str | None = None,
) -> Probe | None:
    """Finds the question for a provider.

    Args:
        provider: LiteLLM's name of it, such as `anthropic`.
        base_url: Its address, where it is not the usual one.
        region: Region, of Bedrock.
        api_version: Version of the API, of Azure.
        model: A model that the key is used for.

    Returns:
        The question; `None` where none is known, and the key cannot be verified.
    """
    if make := _PROBES.get(provider):
        return make(base_url, region, api_version)
    base = base_url or _OPENAI_COMPATIBLE.get(provider)
    if base is None:
        return None
    base = base.rstrip("/")
    return Probe(provider, f"{base}/models", completion_url=f"{base}/chat/completions", model=model)


def page_of(probe: Probe) -> str:
    """Names the place where a provider lets its keys be deleted; its address where the page is not known."""
    place = urlsplit(probe.url).netloc
    # Whoever speaks OpenAI's protocol is called so too.
    return _OPENAI_PAGE if place == "api.openai.com" else _PAGES.get(probe.provider, place)


def verify(probe: Probe, secret: str, value: str | None, *, extra_headers: Mapping[str, str] | None = None) -> None:
    """Asks.

    Args:
        probe: The question.
        secret: Name of the secret, for messages.
        value: The key; `None` where headers alone open it.
        extra_headers: Headers with values of other secrets, which the endpoint wants beside it.

    Raises:
        KeyRefused: The key opens nothing.
        EnvironmentFault: Whether it does cannot be told now: the provider limits, fails or cannot be reached.
    """
    import httpx

    headers = {**dict(probe.headers), **(extra_headers or {})}
    if value is not None:
        headers[probe.key_header] = f"Bearer {value}" if probe.key_header == "Authorization" else value
    secrets = (*(extra_headers or {}).values(), *([value] if value is not None else []))
    try:
        with httpx.Client(timeout=_SECONDS, follow_redirects=False, headers=headers) as client:
            answer = client.get(probe.url)
            if answer.status_code in _NO_LIST and probe.completion_url and probe.model:
                body = {"model": probe.model, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
                answer = client.post(probe.completion_url, json=body)
    # Its message may quote the request, and so the key: only the kind of the failure is told.
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise EnvironmentFault(
            f"Whether {secret} opens {probe.provider} cannot be told: {type(error).__name__}. Nothing was changed."
        ) from None
    _judge(answer, probe, secret, secrets)


def _judge(answer: httpx.Response, probe: Probe, secret: str, secrets: tuple[str, ...]) -> None:
    status = answer.status_code
    if status == _OK:
        return
    told = f"{probe.provider} says {status}{_reason(answer, secrets)}"
    if status == _TOO_MANY or status >= _SERVERS_FAULT:
        raise EnvironmentFault(f"Whether {secret} opens {probe.provider} cannot be told: {told}. Nothing was changed.")
    raise KeyRefused(f"The new value of {secret} does not open {probe.provider}: {told}. Nothing was changed.")


def _reason(answer: httpx.Response, secrets: tuple[str, ...]) -> str:
    """The provider's own words, without those that repeat a part of a key."""
    try:
        body: Any = json.loads(answer.content)
    except ValueError:
        return ""
    error = body.get("error", body) if isinstance(body, dict) else {}
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str):
        return ""
    parts = {
        secret[start : start + _LONGEST_QUOTE]
        for secret in secrets
        for start in range(max(1, len(secret) - _LONGEST_QUOTE + 1))
    }
    words = re.sub(r"[^ -~]", " ", message).split()
    kept = ["[...]" if any(part in word for part in parts) else word for word in words]
    text = " ".join(kept)[:_LONGEST_REASON]
    return f": {text}" if text else ""


def _anthropic(base_url: str | None, _region: str | None, _version: str | None) -> Probe:
    base = (base_url or "https://api.anthropic.com").rstrip("/").removesuffix("/v1")
    # "List Models", Anthropic API.
    return Probe("anthropic", f"{base}/v1/models", "x-api-key", (("anthropic-version", "2023-06-01"),))


def _gemini(base_url: str | None, _region: str | None, _version: str | None) -> Probe:
    base = (base_url or "https://generativelanguage.googleapis.com/v1beta").rstrip("/")
    # "models.list", Gemini API.
    return Probe("gemini", f"{base}/models", "x-goog-api-key")


def _azure(base_url: str | None, _region: str | None, version: str | None) -> Probe | None:
    if base_url is None:
        return None
    # "Models - List", Azure OpenAI REST API.
    return Probe("azure", f"{base_url.rstrip('/')}/openai/models?api-version={version or '2024-10-21'}", "api-key")


def _bedrock(_base: str | None, region: str | None, _version: str | None) -> Probe | None:
    if region is None:
        return None
    # "ListFoundationModels", Amazon Bedrock API, with a Bedrock API key as bearer.
    return Probe("bedrock", f"https://bedrock.{region}.amazonaws.com/foundation-models")


def _openrouter(base_url: str | None, _region: str | None, _version: str | None) -> Probe:
    base = (base_url or "https://openrouter.ai/api/v1").rstrip("/")
    # Its list of models is for everybody.
    return Probe("openrouter", f"{base}/key")


_PROBES: Mapping[str, Callable[[str | None, str | None, str | None], Probe | None]] = {
    "anthropic": _anthropic,
    "gemini": _gemini,
    "azure": _azure,
    "bedrock": _bedrock,
    "openrouter": _openrouter,
}
# Where each provider's documentation sends whoever wants to delete a key.
_PAGES = {
    "anthropic": "https://console.anthropic.com/settings/keys",
    "azure": "https://portal.azure.com (the resource's Keys and Endpoint)",
    "bedrock": "https://console.aws.amazon.com/bedrock (API keys)",
    "deepseek": "https://platform.deepseek.com/api_keys",
    "fireworks_ai": "https://app.fireworks.ai/settings/users/api-keys",
    "gemini": "https://aistudio.google.com/apikey",
    "groq": "https://console.groq.com/keys",
    "mistral": "https://console.mistral.ai/api-keys",
    "openrouter": "https://openrouter.ai/settings/keys",
    "together_ai": "https://api.together.ai/settings/api-keys",
    "xai": "https://console.x.ai",
}
_OPENAI_PAGE = "https://platform.openai.com/api-keys"
_OPENAI_COMPATIBLE = {
    "openai": "https://api.openai.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "xai": "https://api.x.ai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "together_ai": "https://api.together.xyz/v1",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
}
