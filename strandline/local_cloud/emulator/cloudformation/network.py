"""Placeholder."""
from __future__ import annotations
from ..context import Context
from .registry import ResourceType
def types(context: Context) -> dict[str, ResourceType]:
    """The types."""
    return {}
