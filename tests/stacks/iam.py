"""A small evaluator of IAM policies, enough for the policies that Strandline writes.

An explicit Deny wins, then an Allow, else nothing is allowed. What it does not model is an error and not a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Document = dict[str, Any]

_KNOWN = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Request:
    """What somebody wants to do."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)
    service: str | None = None


def allows(documents: Iterable[Document], request: Request) -> bool:
    """Whether policies together allow a request."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in as_list(document["Statement"])
        if _applies(statement, request)
    }
    return "Allow" in effects and "Deny" not in effects


def as_list(value: Any) -> list[Any]:
    """IAM writes one thing as itself and several as a list."""
    return value if isinstance(value, list) else [value]


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """IAM's wildcards: * is any run of characters, colons and slashes among them, ? is one character."""
    return _compile(pattern, ignore_case=ignore_case).fullmatch(text) is not None


@cache
def _compile(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _applies(statement: Document, request: Request) -> bool:
    unknown = set(statement) - _KNOWN
    if unknown:
        raise NotImplementedError(f"the evaluator does not model {sorted(unknown)}")
    return (
        any(matches(action, request.action, ignore_case=True) for action in as_list(statement["Action"]))
        and any(matches(resource, request.resource) for resource in as_list(statement.get("Resource", "*")))
        and _is_principal(statement.get("Principal"), request)
        and all(_holds(operator, keys, request.context) for operator, keys in statement.get("Condition", {}).items())
    )


def _is_principal(principal: Any, request: Request) -> bool:
    if principal is None:
        return True
    if set(principal) != {"Service"}:
        raise NotImplementedError(f"the evaluator does not model the principal {principal}")
    return request.service in as_list(principal["Service"])


def _arn_like(pattern: str, text: str) -> bool:
    """Each of the six parts of an ARN is matched by itself: a wildcard does not reach beyond its colon."""
    patterns, parts = pattern.split(":", 5), text.split(":", 5)
    return len(patterns) == len(parts) and all(matches(*pair) for pair in zip(patterns, parts, strict=True))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringLike": matches,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
}


def _holds(operator: str, keys: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    if operator not in _OPERATORS:
        raise NotImplementedError(f"the evaluator does not model the condition {operator}")
    compare = _OPERATORS[operator]
    given = {name.lower(): value for name, value in context.items()}
    return all(
        key.lower() in given and any(compare(str(wanted), given[key.lower()]) for wanted in as_list(values))
        for key, values in keys.items()
    )
