"""Why a deployment failed, of all that the CDK CLI prints: what CloudFormation says of what failed first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TAIL = 40
_EVENT = re.compile(
    r"^(?P<stack>[A-Za-z0-9-]+) \|.*\| \w+_FAILED\s*\| (?P<type>\S+)\s*\| (?:\S+ )?\((?P<id>\w+)\) (?P<reason>.+)$"
)
# How CloudFormation wraps what a custom resource, and what a resource's own handler, tells.
_WRAPPINGS = (
    re.compile(r"^Received response status \[FAILED\] from custom resource\. Message returned: (?P<told>.*)$"),
    re.compile(r'^Resource handler returned message: "(?P<told>.*?)"? \((?:RequestToken|HandlerErrorCode).*$'),
)
_REQUEST_ID = re.compile(r"\s*\((?:RequestId|Request ID): [0-9a-f-]{36}\)\s*$")
# What CloudFormation says of resources that did not fail.
_CANCELLED = re.compile(r"^Resource (?:creation|update|deletion) [Cc]ancelled")
_TELLING = re.compile(r"_FAILED|❌|[Ee]rror:|ValidationFailed")


def explain_failure(lines: Sequence[str]) -> list[str]:
    """Finds the lines that say why.

    Args:
        lines: The CLI's output.

    Returns:
        For each stack what failed in it first, in CloudFormation's words; where no resource failed the lines that tell
        of an error, or else the end of the output.
    """
    reasons: dict[str, str] = {}
    for line in lines:
        found = _EVENT.match(line)
        if found and not _CANCELLED.match(found["reason"]):
            reasons.setdefault(found["stack"], f"{found['stack']}: {_unwrapped(found['reason'])}")
    if reasons:
        return list(reasons.values())
    telling = [line.strip() for line in lines if _TELLING.search(line)]
    return (list(dict.fromkeys(telling)) or [line for line in lines if line.strip()])[-_TAIL:]


def _unwrapped(reason: str) -> str:
    for wrapping in _WRAPPINGS:
        if found := wrapping.match(reason):
            reason = found["told"]
    return _REQUEST_ID.sub("", reason).strip()
