"""`strandline schema`: what a blueprint may say, for editors and for the documentation."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for people instead of JSON.")] = False,
) -> None:
    """Print the JSON Schema of blueprints, for an editor to complete and check them by."""
    from strandline.blueprint_docs import blueprint_tables
    from strandline.blueprint_schema import blueprint_schema_text

    # Not through the console, which would break lines at the width of the terminal.
    typer.echo(blueprint_tables() if markdown else blueprint_schema_text(), nl=markdown)
