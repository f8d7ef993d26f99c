"""Data protection on the way of one invocation: the prompt before the model, every text before the caller."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from agent_runtime.data_protection import ProtectionSettings, build_protection
from agent_runtime.events import TOOL_START
from agent_runtime.guarded_messages import protected_messages
from agent_runtime.guarded_tools import guard_tool_results

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from strands import Agent
    from strands.types.content import Messages

    from agent_runtime.blueprint import Blueprint
    from agent_runtime.data_protection import OutputStream, Protection


def build_guard(blueprint: Blueprint) -> Guard:
    """Builds the guard that the blueprint asks for.

    Args:
        blueprint: The agent.

    Returns:
        The guard; one that lets everything pass when the blueprint asks for none, or for Bedrock's guardrail, which
        the model's endpoint applies.

    Raises:
        InputError: The settings are wrong, or ask for a language model that is not packaged.
        EnvironmentFault: Presidio does not start; the agent must not answer without it.
    """
    asked = blueprint.observability.data_protection
    settings = ProtectionSettings(
        provider=asked.provider,
        entities=asked.presidio_entities,
        language=asked.presidio_language,
        on_input=asked.on_input,
        on_output=asked.on_output,
        action=asked.action,
    )
    return Guard(build_protection(settings))


class Guard:
    """Filters what goes in and what comes out. The filter is work for the CPU, so it runs in threads.

    Args:
        protection: The filter; nothing lets everything pass.
    """

    def __init__(self, protection: Protection | None) -> None:
        self._protection = protection

    async def messages(self, messages: Messages) -> Messages:
        """Filters what the caller sent: every text of every message, the results of tools and text documents too.

        Args:
            messages: What the caller says.

        Returns:
            What may reach the model.

        Raises:
            InputBlockedError: A text holds what must not pass, and the action is `block`.
            BadRequestError: There is an image or a document in it whose text the filter cannot read.
            FilterFailedError: The filter failed.
        """
        if self._protection is None or not self._protection.filters_input:
            return messages
        return await asyncio.to_thread(protected_messages, self._protection.protect_input, messages)

    def attach(self, agent: Agent) -> None:
        """Makes an agent's tools give filtered results, where what reaches the model is filtered."""
        if self._protection is not None and self._protection.filters_input:
            guard_tool_results(agent, self._protection)

    async def events(self, happenings: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
        """Filters stream events; what a filter holds back comes before the end of its content block.

        Args:
            happenings: The events as Strands gives them.

        Yields:
            The events for the caller.

        Raises:
            OutputBlockedError: A text holds what must not pass, and the action is `block`.
            FilterFailedError: The filter failed.
        """
        protection = self._protection
        blocks: dict[str, OutputStream] = {}
        async with aclosing(happenings):
            async for happening in happenings:
                if protection is None:
                    yield happening
                elif "contentBlockDelta" in happening:
                    passed = await _delta(protection, blocks, happening)
                    if passed:
                        yield passed
                elif "contentBlockStop" in happening:
                    async for rest in _rests(blocks, happening["contentBlockStop"]):
                        yield rest
                    yield happening
                elif TOOL_START in happening:
                    about = happening[TOOL_START]
                    yield {TOOL_START: about | {"input": await self.value(about["input"])}}
                else:
                    yield happening

    async def value(self, value: Any) -> Any:
        """Filters every text in the whole answer.

        Args:
            value: JSON, such as the content of a message or a structured answer.

        Returns:
            The same with every text filtered.

        Raises:
            OutputBlockedError: A text holds what must not pass, and the action is `block`.
            FilterFailedError: The filter failed.
        """
        return await asyncio.to_thread(_filtered, self._protection, value) if self._protection else value


# Where Converse's deltas keep text: the way to it, and the event that carries it.
_TEXTS = (("text",), ("reasoningContent", "text"), ("toolUse", "input"))


async def _delta(protection: Protection, blocks: dict[str, OutputStream], happening: Any) -> Any:
    block = happening["contentBlockDelta"]
    for way in _TEXTS:
        text = _at(block.get("delta", {}), way)
        if isinstance(text, str):
            stream = blocks.setdefault(".".join(way), protection.output_stream())
            passed = await asyncio.to_thread(stream.feed, text)
            return _event(way, passed, block) if passed else None
    return happening


async def _rests(blocks: dict[str, OutputStream], block: dict[str, Any]) -> AsyncIterator[Any]:
    for name, stream in [*blocks.items()]:
        del blocks[name]
        rest = await asyncio.to_thread(stream.close)
        if rest:
            yield _event(tuple(name.split(".")), rest, block)


def _at(delta: Any, way: tuple[str, ...]) -> Any:
    for step in way:
        delta = delta.get(step) if isinstance(delta, dict) else None
    return delta


def _event(way: tuple[str, ...], text: str, block: dict[str, Any]) -> dict[str, Any]:
    """A delta of the same content block with another text."""
    delta: Any = text
    for step in reversed(way):
        delta = {step: delta}
    return {"contentBlockDelta": {**block, "delta": delta}}


def _filtered(protection: Protection, value: Any) -> Any:
    if isinstance(value, str):
        return protection.protect_output(value)
    if isinstance(value, dict):
        return {key: _filtered(protection, member) for key, member in value.items()}
    if isinstance(value, list):
        return [_filtered(protection, member) for member in value]
    return value
