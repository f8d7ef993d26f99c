"""The same question to several models of the gateway at once: what each answers, how fast, at what cost."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from strandline.gateway_client import GatewayRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from strandline.gateway_client import GatewayClient

_PATH = "/v1/chat/completions"
_PIECE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What one model answered; what nobody told is `None`.

    Attributes:
        model: Public name that was asked for.
        answered_by: Model that answered, as its provider names it.
        text: The answer.
        first_text_ms: Milliseconds until the first piece of text.
        latency_ms: Milliseconds until the end.
        input_tokens: Tokens of the question.
        output_tokens: Tokens of the answer.
        cost_usd: Cost in US dollars.
        fallback: Whether another model than the one asked for answered.
        weaker: Whether that one is of a weaker tier.
        error: What went wrong, in place of all the above.
    """

    model: str
    answered_by: str | None = None
    text: str = ""
    first_text_ms: float | None = None
    latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    fallback: bool = False
    weaker: bool = False
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The object that `compare --json` prints for each model."""
        return asdict(self)


def compare_models(
    client: GatewayClient, models: Sequence[str], prompt: str, *, max_tokens: int | None = None
) -> list[ModelReply]:
    """Asks all models at the same time, streaming.

    Args:
        client: The gateway.
        models: Public names.
        prompt: The question.
        max_tokens: Longest answer; default: the model's own.

    Returns:
        A reply for each model, in the same order; one that was refused says so.

    Raises:
        EnvironmentFault: The gateway cannot be reached, or takes no key.
    """
    with ThreadPoolExecutor(len(models)) as pool:
        return list(pool.map(lambda model: _ask(client, model, prompt, max_tokens), models))


def _ask(client: GatewayClient, model: str, prompt: str, max_tokens: int | None) -> ModelReply:
    request: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if max_tokens is not None:
        request["max_tokens"] = max_tokens
    started = time.perf_counter()
    try:
        with client.stream("POST", _PATH, timeout=_PIECE_SECONDS, json=request) as answer:
            return _read(model, answer, started)
    except GatewayRefusal as refusal:
        if refusal.is_about_the_key:
            raise
        return ModelReply(model, latency_ms=_since(started), error=_told(refusal))


def _read(model: str, answer: httpx.Response, started: float) -> ModelReply:
    pieces: list[str] = []
    first: float | None = None
    usage: dict[str, Any] = {}
    is_whole = False
    for event in _events(answer):
        if "error" in event:
            break
        is_whole = is_whole or event is _END
        text = "".join((choice.get("delta") or {}).get("content") or "" for choice in event.get("choices") or ())
        if text:
            first = first if first is not None else _since(started)
            pieces.append(text)
        usage = event.get("usage") or usage
    return ModelReply(
        model,
        answered_by=answer.headers.get("x-litellm-model-name"),
        text="".join(pieces),
        first_text_ms=first,
        latency_ms=_since(started),
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        cost_usd=usage.get("cost"),
        fallback=answer.headers.get("x-litellm-attempted-fallbacks", "0") != "0",
        weaker=answer.headers.get("x-strandline-tier-fallback", "").lower() == "true",
        error=None if is_whole else "the answer broke off: the gateway's log has the reason",
    )


_END: dict[str, Any] = {}


def _events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        yield _END if data == "[DONE]" else json.loads(data)


_NO_SUCH_MODEL = (400, 404)
_TOO_MANY = 429


def _told(refusal: GatewayRefusal) -> str:
    called = f"status {refusal.status}" + (f", call {refusal.call_id}" if refusal.call_id else "")
    if refusal.type == "budget_exceeded":
        return f"over its budget ({called})"
    if refusal.status == _TOO_MANY:
        return f"over its rate limit ({called})"
    if refusal.status in _NO_SUCH_MODEL:
        return f"refused ({called}): is it a model of `strandline gateway models`, and is the request one for it?"
    return f"failed ({called}): the gateway's log has the reason"


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
