"""LiteLLM's custom provider ("Custom API Server", LiteLLM): plain and streamed chat completions."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import Choices, Delta, Message, ModelResponse, ModelResponseStream, StreamingChoices, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Simulator(CustomLLM):
    """Answers in a model's place."""

    async def acompletion(self, model: str, messages: list[Any], **_: Any) -> ModelResponse:  # type: ignore[override]
        """Answers at once."""
        return ModelResponse(
            model=model,
            choices=[Choices(finish_reason="stop", index=0, message=Message(role="assistant", content=_text(model)))],
            usage=Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2),
        )

    async def astreaming(  # type: ignore[override]
        self, model: str, messages: list[Any], **_: Any
    ) -> AsyncIterator[ModelResponseStream]:
        """Answers in pieces."""
        reply = f"chatcmpl-{uuid.uuid4().hex}"
        yield _chunk(reply, model, Delta(role="assistant", content=_text(model)))
        yield _chunk(reply, model, Delta(), "stop")


def _text(model: str) -> str:
    return f"Simulated answer of {model}."


def _chunk(reply: str, model: str, delta: Delta, finish_reason: str | None = None) -> ModelResponseStream:
    return ModelResponseStream(
        id=reply, model=model, choices=[StreamingChoices(index=0, delta=delta, finish_reason=finish_reason)]
    )
