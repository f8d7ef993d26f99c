"""Filters a text that comes in pieces, segment by segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime.data_protection.faults import BlockedError, FilterFailedError
from agent_runtime.data_protection.findings import disjoint, within
from agent_runtime.data_protection.segments import end_of_word

if TYPE_CHECKING:
    from agent_runtime.data_protection.findings import Filter, Finding
    from agent_runtime.data_protection.segments import Segmentation
    from agent_runtime.data_protection.settings import Action

# What stands before a value makes Presidio sure of it, as "SSN" does of nine digits; it looks back five words.
_LOOK_BEHIND = 120


class SegmentFilter:
    """One text on its way through the filter; for one thread at a time.

    However long the text, it holds one segment (`Segmentation.longest`) at most and `_LOOK_BEHIND` characters before.

    Args:
        entity_filter: Finds and masks.
        segmentation: Where the text is cut.
        action: What to do with what is found.
        blocked: The error that says whose text is blocked.
    """

    def __init__(
        self, entity_filter: Filter, segmentation: Segmentation, action: Action, blocked: type[BlockedError]
    ) -> None:
        self._filter = entity_filter
        self._segmentation = segmentation
        self._action = action
        self._blocked = blocked
        self._before = ""
        self._waiting = ""
        self._seen = 0
        self._in_endless_entity = False
        self._refusal: tuple[str, ...] | str = ()

    def feed(self, piece: str) -> str:
        """Takes the next piece of the text.

        Args:
            piece: Of any length.

        Returns:
            What of the text is filtered; the rest waits for what follows.

        Raises:
            BlockedError: The text holds an entity, and the action is `block`.
            FilterFailedError: The filter failed.
        """
        return self._guarded(piece, final=False)

    def close(self) -> str:
        """Ends the text.

        Returns:
            The rest of it, filtered.

        Raises:
            BlockedError: The rest holds an entity, and the action is `block`.
            FilterFailedError: The filter failed.
        """
        return self._guarded("", final=True)

    def _guarded(self, piece: str, *, final: bool) -> str:
        if not self._refusal:
            try:
                return self._drain(self._waiting + piece, final=final)
            except BlockedError as error:
                self._refusal = error.entities
            except Exception as error:
                # Not its text: a library wrote that, and may quote what it was given.
                self._refusal = type(error).__name__
            self._waiting = self._before = ""
        # Outside of the handlers, so that the error carries no other one along.
        if isinstance(self._refusal, str):
            raise FilterFailedError(self._refusal)
        raise self._blocked(self._refusal)

    def _drain(self, text: str, *, final: bool) -> str:
        filtered: list[str] = []
        start = 0
        longest = self._segmentation.longest
        while start < len(text):
            # One character more than a segment tells whether the text goes on behind it.
            window = text[start : start + longest + 1]
            whole = final and start + len(window) == len(text)
            cut, masked = self._step(window, final=whole)
            if not cut:
                break
            filtered.append(masked)
            self._before = (self._before + window[:cut])[-_LOOK_BEHIND:]
            self._seen = 0
            start += cut
        self._waiting = text[start:]
        return "".join(filtered)

    def _step(self, window: str, *, final: bool) -> tuple[int, str]:
        """Filters one segment; tells its length, which is 0 while more text is needed."""
        if self._in_endless_entity:
            rest = end_of_word(window)
            self._in_endless_entity = rest == len(window)
            if rest:
                return rest, ""
        # In a table without a boundary each piece would have all that waits looked through anew.
        cut, self._seen = self._segmentation.next_cut(window, final=final, after=self._seen)
        if cut is not None:
            return cut, self._apply(window[:cut], self._find(window[:cut]))
        if len(window) > self._segmentation.longest:
            return self._cut_by_force(window[:-1])
        return (len(window), self._apply(window, self._find(window))) if final else (0, "")

    def _cut_by_force(self, window: str) -> tuple[int, str]:
        """Cuts where no boundary is safe, but never within an entity that is seen."""
        findings = self._find(window)
        cut = len(window) - self._segmentation.overlap
        for finding in findings:
            if finding.start < cut < finding.end:
                cut = finding.start or finding.end
                # It may go on behind the window, as a URL does: what is left of its word goes with it.
                self._in_endless_entity = cut == len(window)
        return cut, self._apply(window[:cut], within(findings, 0, cut))

    def _find(self, segment: str) -> list[Finding]:
        offset = len(self._before)
        found = self._filter.find(self._before + segment)
        return disjoint(within(found, offset, offset + len(segment)))

    def _apply(self, segment: str, findings: list[Finding]) -> str:
        if not findings:
            return segment
        if self._action == "block":
            raise self._blocked(finding.entity for finding in findings)
        return self._filter.mask(segment, findings)
