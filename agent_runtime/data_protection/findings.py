"""What a filter finds in a text, and which of two that overlap is meant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Finding:
    """An entity in a text; never its value.

    Attributes:
        start: Place of its first character.
        end: Place behind its last character.
        entity: Name of its type.
        score: How sure the filter is, 0 to 1.
    """

    start: int
    end: int
    entity: str
    score: float


class Filter(Protocol):
    """Finds and replaces entities."""

    def find(self, text: str) -> list[Finding]:
        """Finds the entities of a text."""
        ...

    def mask(self, text: str, findings: list[Finding]) -> str:
        """Puts the names of entities in place of their values; the findings do not overlap."""
        ...


def disjoint(findings: Iterable[Finding]) -> list[Finding]:
    """Makes one finding of those that overlap: all they cover, under the name of the surest, then the longest.

    Args:
        findings: In any order.

    Returns:
        Findings that do not overlap, by place.
    """
    merged: list[Finding] = []
    widest = 0
    for finding in sorted(findings, key=lambda finding: (finding.start, -finding.end, finding.entity)):
        if merged and finding.start < merged[-1].end:
            best = merged[-1]
            name = finding if (finding.score, finding.end - finding.start) > (best.score, widest) else best
            widest = max(widest, finding.end - finding.start) if name is finding else widest
            merged[-1] = replace(name, start=best.start, end=max(best.end, finding.end))
        else:
            merged.append(finding)
            widest = finding.end - finding.start
    return merged


def within(findings: Iterable[Finding], start: int, end: int) -> list[Finding]:
    """Cuts findings down to a part of their text.

    Args:
        findings: Of the whole text.
        start: Where the part starts.
        end: Where it ends.

    Returns:
        What of the findings lies in the part, with places counted from its start.
    """
    return [
        replace(finding, start=max(finding.start, start) - start, end=min(finding.end, end) - start)
        for finding in findings
        if finding.start < end and finding.end > start
    ]
