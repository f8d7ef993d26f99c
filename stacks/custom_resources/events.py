"""CloudFormation's side of a custom resource: its events, and the answer that it waits for.

See "Custom resource request and response reference", AWS CloudFormation User Guide. What a resource
gives back is readable for everybody who may describe the stack: no secret is among it.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# CloudFormation takes 4 KB for the whole answer.
_LONGEST_REASON = 1000
_ANSWER_SECONDS = 30


class ChangeFailed(Exception):
    """Raised with what CloudFormation shows the operator.

    Attributes:
        physical_id: What the resource is known by after the failure; CloudFormation asks to delete that.
    """

    def __init__(self, reason: str, physical_id: str | None = None) -> None:
        super().__init__(reason)
        self.physical_id = physical_id


@dataclass(frozen=True)
class Change:
    """What CloudFormation wants.

    Attributes:
        kind: Create, Update or Delete.
        request_id: The same for every delivery of one event.
        physical_id: What the resource is known by so far; nothing before it is made.
        properties: What the template says of it.
    """

    kind: str
    request_id: str
    physical_id: str | None
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """What became of a change.

    Attributes:
        physical_id: What the resource is known by.
        attributes: What the template reads of it; whoever may describe the stack may read it too.
    """

    physical_id: str
    attributes: Mapping[str, str]


def answer(event: Mapping[str, Any], context: Any, make: Callable[[Change], str | Made]) -> None:
    """Makes a change and tells CloudFormation how it went; raises nothing, because Lambda would deliver again.

    Args:
        event: CloudFormation's event.
        context: Lambda's context, for the name of the log.
        make: Makes the change; gives the id that the resource is known by, and attributes where the template reads any.
    """
    change = Change(
        event["RequestType"], event["RequestId"], event.get("PhysicalResourceId"), event["ResourceProperties"]
    )
    status, reason, physical_id = "FAILED", "", change.physical_id
    attributes: Mapping[str, str] = {}
    try:
        made = make(change)
        physical_id, attributes = (made.physical_id, made.attributes) if isinstance(made, Made) else (made, {})
        status = "SUCCESS"
    except ChangeFailed as failed:
        status, reason, physical_id = "FAILED", str(failed), failed.physical_id or change.physical_id
    except Exception as fault:
        # Its text is a library's, and could hold a key.
        reason = f"{type(fault).__name__}, which nobody expected: see {context.log_stream_name}"
    print(json.dumps({"change": change.kind, "status": status, "reason": reason}))
    _put(
        event["ResponseURL"],
        {
            "Status": status,
            "Reason": reason[:_LONGEST_REASON],
            "PhysicalResourceId": physical_id or f"never-made-{change.request_id}",
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
            "NoEcho": not attributes,
            **({"Data": attributes} if attributes else {}),
        },
    )


def _put(url: str, document: Mapping[str, Any]) -> None:
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address
        url, data=json.dumps(document).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS):  # noqa: S310
        pass
