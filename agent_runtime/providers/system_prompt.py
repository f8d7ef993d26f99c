"""The system prompt as the model is given it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strands.types.content import SystemContentBlock

    from agent_runtime.blueprint import Blueprint


def system_prompt_of(blueprint: Blueprint, text: str) -> list[SystemContentBlock]:
    """The prompt as content blocks, with a cache point at its end where the blueprint caches.

    Args:
        blueprint: The agent.
        text: Its prompt.

    Returns:
        The blocks; every provider's model of Strands takes them.
    """
    blocks: list[SystemContentBlock] = [{"text": text}]
    if blueprint.model.cache_prompt == "default":
        blocks.append({"cachePoint": {"type": "default"}})
    return blocks
