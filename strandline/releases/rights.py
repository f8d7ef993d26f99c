"""What a deployment would change of the rights in IAM, in words."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strandline.releases.changes import Templates

_Right = tuple[str, str, str, str]
"""Effect, action, what it is on or who has it, and under which condition."""
_Holders = dict[str, set[_Right]]
_HASH = re.compile(r"[0-9A-F]{8}$")


def find_right_changes(before: Templates, after: Templates) -> list[str]:
    """Says what each role and policy may from now on, and what no longer.

    Args:
        before: The templates that are deployed.
        after: Those of the assembly.

    Returns:
        A sentence for each.
    """
    return [
        f"{stack}, {name}: {sentence}"
        for stack, template in sorted(after.items())
        for name, old, new in _pairs(_by_name(before.get(stack, {})), _by_name(template))
        for sentence in _sentences(old, new)
    ]


def _pairs(old: _Holders, new: _Holders) -> Iterator[tuple[str, set[_Right], set[_Right]]]:
    for name in sorted({*old, *new}):
        yield name, old.get(name, set()), new.get(name, set())


def _by_name(template: dict[str, Any]) -> _Holders:
    """Rights by who has them. A role whose rights change is another role, whose name ends in another hash."""
    holders: _Holders = {}
    for name, resource in template.get("Resources", {}).items():
        holders.setdefault(_HASH.sub("", name), set()).update(_rights(resource))
    return holders


def _sentences(old: set[_Right], new: set[_Right]) -> Iterator[str]:
    for rights, words in ((new - old, ("may", "is refused")), (old - new, ("no longer may", "is no longer refused"))):
        actions = defaultdict(list)
        for effect, action, on, condition in sorted(rights):
            actions[effect, on, condition].append(action)
        for (effect, on, condition), several in actions.items():
            yield f"{words[effect == 'Deny']} {', '.join(several)} {on}{condition}"


def _rights(resource: dict[str, Any]) -> Iterator[_Right]:
    properties = resource.get("Properties", {})
    documents = [policy.get("PolicyDocument", {}) for policy in properties.get("Policies") or () if _is_policy(policy)]
    documents += [properties[name] for name in ("PolicyDocument", "AssumeRolePolicyDocument") if name in properties]
    for document in documents:
        for statement in document.get("Statement", ()):
            yield from _of_statement(statement)
    for arn in properties.get("ManagedPolicyArns") or ():
        yield "Allow", "all", f"that the policy {text_of(arn)} allows", ""


def _is_policy(policy: Any) -> bool:
    return isinstance(policy, dict) and isinstance(policy.get("PolicyDocument"), dict)


def _of_statement(statement: dict[str, Any]) -> Iterator[_Right]:
    condition = statement.get("Condition")
    under = f", where {json.dumps(condition, sort_keys=True)}" if condition else ""
    principals = [f"by {text_of(one)}" for one in _listed(statement.get("Principal"))]
    for action in _listed(statement.get("Action", statement.get("NotAction"))):
        for on in [f"on {text_of(one)}" for one in _listed(statement.get("Resource"))] or principals:
            yield statement.get("Effect", "Allow"), text_of(action), on, under


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str:
    """Writes a CloudFormation value as people read it, what CloudFormation fills in as <...>."""
    if isinstance(value, dict) and len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Fn::Join":
            return str(argument[0]).join(text_of(part) for part in argument[1])
        if isinstance(argument, list):
            return f"<{'.'.join(str(part) for part in argument)}>"
        return f"<{argument}>" if function == "Ref" or function.startswith("Fn::") else text_of(argument)
    return str(value)
