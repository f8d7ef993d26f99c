"""Strands' OpenAI model, sending what Strands' LiteLLM model sends to an OpenAI-compatible endpoint.

LiteLLM takes three seconds and 200 MB to import. Behind a `base_url` it has nothing to translate, so the request on the
wire can be the same without it. What Strands' two models do differently is evened out here, and `tests/providers`
holds the two to each other.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from strands.models.openai import OpenAIModel

from agent_runtime.providers.wire import without_thinking_if_forced

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from strands.types.content import ContentBlock, Messages, SystemContentBlock
    from strands.types.streaming import StreamEvent
    from strands.types.tools import ToolSpec


class LightModel(OpenAIModel):
    """`OpenAIModel` with system prompts as content blocks, cache points in them kept.

    Attributes:
        caches_tools: Whether the tools' definitions are marked for the provider's cache.
    """

    caches_tools = False
    _system_blocks: list[SystemContentBlock] | None = None

    async def stream(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        *,
        system_prompt_content: list[SystemContentBlock] | None = None,
        **more: Any,
    ) -> AsyncGenerator[StreamEvent, None]:
        """Streams the model's answer.

        Args:
            messages: The conversation.
            tool_specs: Tools that the model may ask for.
            system_prompt: The system prompt's text.
            system_prompt_content: The system prompt as blocks; Strands gives both.
            **more: Passed on to `OpenAIModel.stream`.

        Yields:
            Converse stream events.

        Raises:
            ModelThrottledException: The endpoint limits the rate.
            ContextWindowOverflowException: The conversation is too long for the model.
        """
        # OpenAIModel drops the blocks on the way to `format_request`; a copy carries them past it, for this call alone.
        call = copy.copy(self)
        call._system_blocks = system_prompt_content
        async for event in OpenAIModel.stream(call, messages, tool_specs, system_prompt, **more):
            yield event

    def format_request(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Formats the request with the system prompt's blocks; one that forces a tool goes without thinking."""
        more.setdefault("system_prompt_content", self._system_blocks)
        request = without_thinking_if_forced(super().format_request(*arguments, **more))
        return with_cached_tools(request) if self.caches_tools else request

    @classmethod
    def _format_system_messages(
        cls,
        system_prompt: str | None = None,
        *,
        system_prompt_content: list[SystemContentBlock] | None = None,
        **_: Any,
    ) -> list[dict[str, Any]]:
        blocks = system_prompt_content or ([{"text": system_prompt}] if system_prompt else [])
        content: list[dict[str, Any]] = []
        for block in blocks:
            if "text" in block:
                content.append({"type": "text", "text": block["text"]})
            elif content and block.get("cachePoint", {}).get("type") == "default":
                content[-1]["cache_control"] = _cache_control(block)
        return [{"role": "system", "content": content}] if content else []

    @classmethod
    def format_request_message_content(cls, content: ContentBlock, **more: Any) -> dict[str, Any]:
        """Formats a block of a message; OpenAI knows no `format` beside an image's URL, which has it."""
        formatted = super().format_request_message_content(content, **more)
        if "image_url" in formatted:
            formatted["image_url"].pop("format", None)
        return formatted


def with_cached_tools(request: dict[str, Any]) -> dict[str, Any]:
    """Marks the end of the tools' definitions for the provider's cache, as LiteLLM has it.

    Args:
        request: A request in OpenAI's format; its last tool is marked.

    Returns:
        The same request.
    """
    if request.get("tools"):
        request["tools"][-1]["cache_control"] = {"type": "ephemeral"}
    return request


def _cache_control(block: SystemContentBlock) -> dict[str, Any]:
    ttl = block["cachePoint"].get("ttl")
    return {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
