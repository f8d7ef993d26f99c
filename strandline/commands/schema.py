"""`strandline schema`: what a blueprint or `gateway.yaml` may say, for editors and for the documentation."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class File(StrEnum):
    """What the schema is of."""

    BLUEPRINT = "blueprint"
    GATEWAY = "gateway"


def schema(
    of: Annotated[File, typer.Argument(help="Which file.")] = File.BLUEPRINT,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for people instead of JSON.")] = False,
) -> None:
    """Print the JSON Schema of blueprints or of gateway.yaml, for an editor to complete and check them by."""
    from strandline.blueprint_docs import blueprint_tables, gateway_tables
    from strandline.blueprint_schema import blueprint_schema_text
    from strandline.gateway_schema import gateway_schema_text

    text, tables = {
        File.BLUEPRINT: (blueprint_schema_text, blueprint_tables),
        File.GATEWAY: (gateway_schema_text, gateway_tables),
    }[of]
    # Not through the console, which would break lines at the width of the terminal.
    typer.echo(tables() if markdown else text(), nl=markdown)
