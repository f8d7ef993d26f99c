"""Handlers whose answers must fit a schema."""

from __future__ import annotations

import pytest

from tests.tools.conftest import clock, endpoint, folder, secrets_manager, serve

__all__ = ["clock", "endpoint", "folder", "secrets_manager", "serve"]


@pytest.fixture
def analysis():
    """A schema with most of what schemas have."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Analysis",
        "description": "What the tide does.",
        "type": "object",
        "properties": {
            "place": {"type": "string", "minLength": 2, "description": "Name of the harbour."},
            "level": {"enum": [1, "high", None]},
            "kind": {"const": 5},
            "at": {"type": "string", "format": "date-time"},
            "depths": {"type": "array", "items": {"type": "number", "minimum": 0}, "uniqueItems": True, "maxItems": 3},
            "next": {"$ref": "#/$defs/Tide"},
            "unit": {"type": "string", "default": "m"},
        },
        "required": ["place"],
        "additionalProperties": False,
        "$defs": {
            "Tide": {
                "type": "object",
                "properties": {"after": {"anyOf": [{"$ref": "#/$defs/Tide"}, {"type": "null"}]}},
                "additionalProperties": False,
            }
        },
    }
