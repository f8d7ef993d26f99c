"""What the handler calls: protection of one agent's inputs and outputs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent_runtime.data_protection.entities import MODEL_ENTITIES, default_entities
from agent_runtime.data_protection.faults import InputBlockedError, OutputBlockedError
from agent_runtime.data_protection.segment_filter import SegmentFilter
from agent_runtime.data_protection.segments import Segmentation
from agent_runtime.errors import EnvironmentFault

if TYPE_CHECKING:
    from agent_runtime.data_protection.findings import Filter
    from agent_runtime.data_protection.settings import ProtectionSettings

LONGEST_DELAY = 1024
"""Characters that a stream holds back at most; about 80 in prose."""

# E-mail addresses, the longest entities with an end, have 320 characters at most.
_OVERLAP = 384
_SHORTEST_OF_STREAM = 64
# Nobody waits for the first words of an input, and long segments cost less.
_SHORTEST_OF_INPUT = 1024
_LONGEST_OF_INPUT = 2048
_PATTERN_SECONDS = "5"


class OutputStream:
    """The model's text on its way to the caller; for one thread at a time."""

    def __init__(self, segment_filter: SegmentFilter | None) -> None:
        self._filter = segment_filter

    def feed(self, piece: str) -> str:
        """Takes what the model sent.

        Args:
            piece: The next part of the text.

        Returns:
            What may be sent on now; up to `LONGEST_DELAY` characters wait for what follows.

        Raises:
            OutputBlockedError: The text holds an entity, and the action is `block`; nothing of it was given out.
            FilterFailedError: The filter failed; what waits is not given out.
        """
        return self._filter.feed(piece) if self._filter else piece

    def close(self) -> str:
        """Ends the text.

        Returns:
            What was still waiting.

        Raises:
            OutputBlockedError: The rest holds an entity, and the action is `block`.
            FilterFailedError: The filter failed.
        """
        return self._filter.close() if self._filter else ""


class Protection:
    """The filter of one agent; for any thread. Its calls are work for the CPU: never make them on the loop.

    Args:
        settings: What the blueprint asks.
        entity_filter: Finds and masks.
    """

    def __init__(self, settings: ProtectionSettings, entity_filter: Filter) -> None:
        self._settings = settings
        self._filter = entity_filter
        self._sentences = not MODEL_ENTITIES.isdisjoint(settings.entities)

    @property
    def filters_input(self) -> bool:
        """Whether what the caller sends is filtered."""
        return self._settings.on_input

    def protect_input(self, text: str) -> str:
        """Filters what the caller sent.

        Args:
            text: The prompt.

        Returns:
            What may reach the model.

        Raises:
            InputBlockedError: The text holds an entity, and the action is `block`.
            FilterFailedError: The filter failed.
        """
        if not self.filters_input:
            return text
        segmentation = Segmentation(_SHORTEST_OF_INPUT, _LONGEST_OF_INPUT, _OVERLAP, self._sentences)
        segment_filter = SegmentFilter(self._filter, segmentation, self._settings.action, InputBlockedError)
        return segment_filter.feed(text) + segment_filter.close()

    def protect_output(self, text: str) -> str:
        """Filters an answer that is whole; gives the very text that its stream gives.

        Args:
            text: The answer.

        Returns:
            What may reach the caller.

        Raises:
            OutputBlockedError: The text holds an entity, and the action is `block`.
            FilterFailedError: The filter failed.
        """
        stream = self.output_stream()
        return stream.feed(text) + stream.close()

    def output_stream(self) -> OutputStream:
        """Starts to filter an answer that comes in pieces; one for each text of the answer."""
        if not self._settings.on_output:
            return OutputStream(None)
        segmentation = Segmentation(_SHORTEST_OF_STREAM, LONGEST_DELAY, _OVERLAP, self._sentences)
        return OutputStream(SegmentFilter(self._filter, segmentation, self._settings.action, OutputBlockedError))


def build_protection(settings: ProtectionSettings) -> Protection | None:
    """Builds the protection that a blueprint asks for; takes seconds when that is Presidio.

    Args:
        settings: What the blueprint asks.

    Returns:
        The protection; nothing when this process has none to give: `none`, or `bedrock`, whose guardrail the model's
        endpoint applies.

    Raises:
        InputError: The settings are wrong, or ask for a language model that is not installed.
        EnvironmentFault: Presidio is not installed, or does not start.
    """
    settings.check()
    if settings.provider != "presidio":
        return None
    # Presidio reads it when it is imported, and waits a minute for each pattern unless told.
    os.environ.setdefault("REGEX_TIMEOUT_SECONDS", _PATTERN_SECONDS)
    try:
        from agent_runtime.data_protection.presidio import PresidioFilter
    except ImportError as error:
        raise EnvironmentFault(
            f"data_protection.provider is presidio, and its packages are not installed ({error.name}): "
            "the code artefact needs agent_runtime/requirements/presidio.lock."
        ) from error
    return Protection(
        settings, PresidioFilter(settings.entities or default_entities(settings.language), settings.language)
    )
