"""The command line: `strandline`.

Commands live in `strandline.commands`, one file each, and import what they need when they run: `--version` and `--help`
load neither boto3 nor the CDK.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from agent_runtime.errors import InputError, StrandlineError
from strandline.commands import (
    canary,
    checks,
    compare,
    demo,
    deploy,
    destroy,
    drift,
    gateway,
    history,
    invoke,
    promote,
    releases,
    rollback,
    rotate,
    schema,
    secrets,
    status,
    validate,
)
from strandline.console import stderr
from strandline.local_cloud import commands as local

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From a YAML agent blueprint to production on AWS.",
)
app.command("validate")(validate.validate)
app.command("schema")(schema.schema)
app.command("deploy")(deploy.deploy)
app.command("invoke")(invoke.invoke)
app.command("canary")(canary.canary)
app.command("rollback")(rollback.rollback)
app.command("history")(history.history)
app.command("drift")(drift.drift)
app.command("destroy")(destroy.destroy)
app.command("status")(status.status)
app.command("demo")(demo.demo)
app.command("compare")(compare.compare)
app.command("promote")(promote.promote)
app.command("rotate")(rotate.rotate)
app.add_typer(checks.app, name="checks")
app.add_typer(releases.app, name="releases")
app.add_typer(secrets.app, name="secrets")
app.add_typer(gateway.app, name="gateway")
app.add_typer(local.app, name="local")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"strandline {version('strandline')}")
        raise typer.Exit


@app.callback()
def options(
    asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From a YAML agent blueprint to production on AWS."""


def main() -> None:
    """Runs the command line; a person's or the machine's fault becomes a message and an exit code, not a traceback."""
    try:
        # Typer itself would end with 2 at a wrong option, which here means that the machine is at fault.
        sys.exit(app(standalone_mode=False))
    except StrandlineError as error:
        _print_error(error)
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        _print_error(InputError(f"{error.format_message()} (see --help)"))
        sys.exit(InputError.exit_code)
    except typer.Abort:
        stderr.print("Nothing was changed.")
        sys.exit(InputError.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _print_error(error: StrandlineError) -> None:
    lines = [str(problem) for problem in error.problems] if isinstance(error, InputError) else [str(error)]
    for line in lines:
        stderr.print(f"[bold red]error:[/] {_escaped(line)}", soft_wrap=True, highlight=False)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
