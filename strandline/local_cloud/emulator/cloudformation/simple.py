# mypy: disable-error-code="import-not-found"
"""Types that are records and nothing more: an identity, attributes, and no behaviour that a deploy could see."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from .registry import Made, Properties, ResourceType


def record_type(
    prefix: str, attributes: Callable[[str, Properties], Properties], replacing: tuple[str, ...] = ()
) -> ResourceType:
    """A type whose physical id is `<prefix>-<17 hex digits>`."""

    def create(_logical_id: str, properties: Properties, _stack: str) -> Made:
        physical_id = f"{prefix}-{secrets.token_hex(9)[:17]}"
        return physical_id, attributes(physical_id, properties)

    def update(physical_id: str, _old: Properties, new: Properties, _stack: str) -> Made:
        return physical_id, attributes(physical_id, new)

    def delete(_physical_id: str, _properties: Properties) -> None:
        return None

    return ResourceType(create, delete, update, replacing=replacing)
