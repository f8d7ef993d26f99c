"""The tables of `docs/blueprint.md` and `docs/gateway.md`: every field, made from the files' JSON Schemas."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from agent_runtime.blueprint import Blueprint
from agent_runtime.later import LATER_FIELDS
from gateway.settings import GatewaySettings
from strandline.blueprint_schema import blueprint_schema
from strandline.field_tables import cell, field_tables
from strandline.gateway_schema import gateway_schema

START = "<!-- fields: written by `strandline schema --markdown` -->"
GATEWAY_START = "<!-- fields: written by `strandline schema gateway --markdown` -->"
END = "<!-- end of fields -->"


def blueprint_tables() -> str:
    """Write the tables of a blueprint.

    Returns:
        Markdown: one table for each block of a blueprint, and one of what is refused by name.
    """
    # What an overlay may say is the same again.
    lines = [START, "", *field_tables(Blueprint, blueprint_schema(), skip="environments.")]
    lines += ["### Refused by name", "", "Fields of the published format that this version does not support.", ""]
    lines += ["| Field | What to do |", "|---|---|"]
    lines += [f"| `{path}` | {cell(hint)} |" for path, hint in sorted(LATER_FIELDS.items())]
    return "\n".join([*lines, "", END])


def gateway_tables() -> str:
    """Write the tables of `gateway.yaml`.

    Returns:
        Markdown: one table for each block.
    """
    return "\n".join(
        [GATEWAY_START, "", *field_tables(GatewaySettings, gateway_schema(), skip="models.<name>.deployments[]."), END]
    )


_TABLES: dict[str, Callable[[], str]] = {START: blueprint_tables, GATEWAY_START: gateway_tables}


def with_tables(page: str) -> str:
    """Put the tables into a page.

    Args:
        page: Markdown that holds one of the marks where tables start, and the one where they end.

    Returns:
        The page with the tables of today between them.
    """
    for start, tables in _TABLES.items():
        before, mark, rest = page.partition(start)
        if mark:
            page = before + tables() + rest.partition(END)[2]
    return page


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(with_tables(file.read_text(encoding="utf-8")), encoding="utf-8")
