"""`strandline local`: the AWS that runs on this machine."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from agent_runtime.errors import StrandlineError
from strandline.local_cloud.cloud import DEFAULT_ACCOUNT, LocalCloud
from strandline.local_cloud.views import print_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

app = typer.Typer(no_args_is_help=True, help="The AWS that runs on this machine.")
_notes = Console(stderr=True)

Home = Annotated[
    Path | None, typer.Option("--home", help="Folder of the cloud (default: STRANDLINE_HOME or .strandline).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@contextmanager
def _told() -> Iterator[None]:
    """Show what a person can mend as a message, and end with its exit code."""
    try:
        yield
    except StrandlineError as fault:
        _notes.print(f"[red]error:[/red] {fault}", highlight=False, soft_wrap=True)
        raise typer.Exit(fault.exit_code) from None


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    if quiet:
        yield lambda step: None
        return
    with _notes.status("Local cloud") as display:
        yield lambda step: display.update(f"{step} ...")


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port (default: STRANDLINE_LOCAL_PORT or 4566).")] = None,
    persist: Annotated[bool, typer.Option("--persist", help="Keep what is deployed over `down` and `up`.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Start the local cloud."""
    with _told(), _progress(as_json) as progress:
        url = LocalCloud(home).up(port, persist=persist, progress=progress)
    print(json.dumps({"url": url}) if as_json else f"The local cloud answers at {url}")


@app.command()
def down(
    home: Home = None, quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing if all went well.")] = False
) -> None:
    """Stop the local cloud and everything that it runs."""
    with _told(), _progress(quiet):
        LocalCloud(home).down()
    if not quiet:
        print("The local cloud is down")


@app.command()
def status(home: Home = None, as_json: AsJson = False) -> None:
    """Show stacks, services, tasks and sessions. Exit code 2 if the cloud is down."""
    with _told():
        found = LocalCloud(home).status()
    if as_json:
        print(json.dumps(found.as_dict()))
    else:
        print_status(found, Console())
    if not found.running:
        raise typer.Exit(2)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="Only logs whose name contains this.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    lines: Annotated[int | None, typer.Option("--lines", "-n", min=1, help="Only the last lines of each.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="As they were written: the handler's are JSON.")] = False,
    home: Home = None,
) -> None:
    """Show the logs of the emulator, of tasks and of sessions."""
    try:
        for line in LocalCloud(home).logs(name, follow=follow, lines=lines, raw=raw):
            print(line, flush=follow)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        sys.stderr.close()


@app.command()
def env(
    account: Annotated[str, typer.Option(help="Account whose root the client is to be.")] = DEFAULT_ACCOUNT,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print the lines that point any AWS client here: `eval "$(strandline local env)"`."""
    cloud = LocalCloud(home)
    with _told():
        variables = cloud.environment(account)
    if as_json:
        print(json.dumps(variables))
        return
    print(f"unset {' '.join(cloud.CONFLICTING_VARIABLES)}")
    for key, value in variables.items():
        print(f"export {key}={shlex.quote(value)}")
