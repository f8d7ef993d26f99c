"""The model behind an OpenAI-compatible endpoint, sending what Strands' LiteLLM model sends there.

LiteLLM takes three seconds and 200 MB to import, and the `openai` package under Strands' OpenAI model half of what is
left. Behind a `base_url` there is nothing to translate, so the request on the wire is the same without them;
`tests/providers` holds this model and LiteLLM's to each other.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from strands.models.model import Model

from agent_runtime.providers.chat_chunks import events_of, events_of_chunks
from agent_runtime.providers.chat_messages import chat_messages, chat_tool_choice, chat_tools, with_cached_tools
from agent_runtime.providers.wire import without_thinking_if_forced

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from strands.types.content import Messages, SystemContentBlock
    from strands.types.streaming import StreamEvent
    from strands.types.tools import ToolChoice, ToolSpec

    from agent_runtime.openai_client import OpenAICompatibleClient


class LightModel(Model):
    """A model that is asked over one connection.

    Args:
        client: The connection; it has the key and the headers.
        model_id: The model's name, sent as it is.
        parameters: Further members of each request.
        stream: Whether the endpoint is asked for a stream.
        caches_tools: Whether the tools' definitions are marked for the provider's cache.
    """

    def __init__(
        self,
        client: OpenAICompatibleClient,
        *,
        model_id: str,
        parameters: Mapping[str, Any],
        stream: bool,
        caches_tools: bool,
    ) -> None:
        self._client = client
        self.config: dict[str, Any] = {"model_id": model_id, "params": dict(parameters), "stream": stream}
        self._caches_tools = caches_tools

    def update_config(self, **model_config: Any) -> None:
        """Changes members of the configuration: `model_id`, `params`, `stream`."""
        self.config |= model_config

    def get_config(self) -> dict[str, Any]:
        """The configuration, as Strands' own models have it."""
        return self.config

    def format_request(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        *,
        tool_choice: ToolChoice | None = None,
        system_prompt_content: list[SystemContentBlock] | None = None,
    ) -> dict[str, Any]:
        """Writes the body of a request; one that forces a tool goes without thinking.

        Args:
            messages: The conversation.
            tool_specs: Tools that the model may ask for.
            system_prompt: The system prompt's text.
            tool_choice: Which tool it is to use.
            system_prompt_content: The system prompt as blocks; Strands gives both.

        Returns:
            The members of OpenAI's "Create chat completion".

        Raises:
            TypeError: The conversation holds what the format has no place for.
        """
        streamed = {"stream": True, "stream_options": {"include_usage": True}} if self.config["stream"] else {}
        request = {
            "model": self.config["model_id"],
            "messages": chat_messages(messages, system_prompt, system_prompt_content),
            "tools": chat_tools(tool_specs or ()),
            **streamed,
            **chat_tool_choice(tool_choice),
            **self.config["params"],
        }
        request = without_thinking_if_forced(request)
        return with_cached_tools(request) if self._caches_tools else request

    async def stream(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        *,
        tool_choice: ToolChoice | None = None,
        system_prompt_content: list[SystemContentBlock] | None = None,
        **_: Any,
    ) -> AsyncGenerator[StreamEvent, None]:
        """Asks the model; the arguments are those of `format_request`.

        Yields:
            Converse stream events.

        Raises:
            SecretError: A secret cannot be read.
            InvocationError: The endpoint refuses, cannot be reached, or its answer is none.
            ModelThrottledException: It limits the rate.
            ContextWindowOverflowException: The conversation is too long for the model.
        """
        request = self.format_request(
            messages, tool_specs, system_prompt, tool_choice=tool_choice, system_prompt_content=system_prompt_content
        )
        answer = await self._client.answer(request)
        if not request.get("stream"):
            for event in events_of(answer.completion):
                yield event
            return
        async with aclosing(answer.completion) as chunks:
            async for event in events_of_chunks(chunks):
                yield event

    def structured_output(self, *_: Any, **__: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Strands' deprecated way to a structured answer; its agent forces a tool instead."""
        raise NotImplementedError("Use Agent(structured_output_model=...), which forces a tool.")
