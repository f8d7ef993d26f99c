# mypy: disable-error-code="import-not-found"
"""AWS::IAM::Role with its permissions boundary, which MiniStack's own loses: it is asked of what a role may."""

from __future__ import annotations

from typing import Any

from ministack.services import iam

from . import registry


def install() -> None:
    """Keep the boundary of roles that are made and changed."""
    own = registry.inherited("AWS::IAM::Role")

    def create(logical_id: str, properties: registry.Properties, stack: str) -> registry.Made:
        return _bounded(own["create"](logical_id, properties, stack), properties)

    def update(
        physical_id: str, old: registry.Properties, new: registry.Properties, stack: str, *more: Any
    ) -> registry.Made:
        return _bounded(own["update"](physical_id, old, new, stack, *more), new)

    registry.wrap("AWS::IAM::Role", create=create, update=update)


def _bounded(made: registry.Made, properties: registry.Properties) -> registry.Made:
    role = iam._roles.get(made[0])
    if role is not None:
        role.pop("PermissionsBoundary", None)
        if boundary := properties.get("PermissionsBoundary"):
            role["PermissionsBoundary"] = boundary
    return made
