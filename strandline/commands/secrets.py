"""`strandline secrets`: what secrets an environment has; values go in by standard input, prompt or file, never out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent_runtime.errors import InputError
from strandline.asking import confirm
from strandline.commands.rotation_options import (
    UnverifiedOption,
    ValueFromOption,
    YesOption,
    check_verifiable,
    open_rotations,
    value_reader,
)
from strandline.console import stderr, stdout
from strandline.durations import DurationOption, seconds_of
from strandline.targets import (
    BLUEPRINTS,
    ENVIRONMENTS,
    BlueprintsOption,
    EnvironmentOption,
    EnvironmentsOption,
    JsonOption,
    Target,
    open_target,
)

if TYPE_CHECKING:
    from rich.table import Table

    from strandline.secret_inventory import SecretReport

app = typer.Typer(no_args_is_help=True, help="The environment's secrets.")

_SHORT_VERSION = 8


@app.callback()
def group() -> None:
    """The environment's secrets."""


@app.command("set", context_settings={"allow_extra_args": True})
def set_value(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the variable, such as OPENAI_API_KEY.")],
    env: EnvironmentOption,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Set a secret's value, read from standard input or from a prompt that shows nothing."""
    from strandline.secret_values import check_value, put_value, read_value

    if context.args:
        raise InputError(
            "A value on the command line stays in the shell's history and shows in the list of processes: "
            "pipe it in, or type it at the prompt."
        )
    target = open_target(env, environments)
    value = check_value(name, read_value(f"Value of {name}"))
    put_value(target, name, value)
    stderr.print(f"[green]set:[/] {name} in {env}")


@app.command("list")
def list_secrets(
    env: EnvironmentOption,
    as_json: JsonOption = False,
    blueprints: BlueprintsOption = BLUEPRINTS,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """List every secret: who uses it, whether it has a value, version, age and last use; never the value."""
    reports = _take(open_target(env, environments), blueprints, environments)
    if as_json:
        stdout.print_json(json.dumps({"environment": env, "secrets": [_as_dict(report) for report in reports]}))
    else:
        stdout.print(_table(reports))


@app.command()
def check(
    env: EnvironmentOption,
    as_json: JsonOption = False,
    blueprints: BlueprintsOption = BLUEPRINTS,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Tell which secrets keep a deployment or an agent from working; ends with 1 when there are any."""
    reports = _take(open_target(env, environments), blueprints, environments)
    faults = {report.variable: fault for report in reports if (fault := _fault(report, env))}
    if as_json:
        stdout.print_json(json.dumps({"environment": env, "faults": faults}))
    else:
        for fault in faults.values():
            stderr.print(fault, markup=False, highlight=False, soft_wrap=True)
        if not faults:
            stderr.print(f"[green]good:[/] every secret of {env} has a value")
    if faults:
        raise typer.Exit(1)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Name of the variable whose value leaked.")],
    env: EnvironmentOption,
    value_from: ValueFromOption = None,
    since: Annotated[str, DurationOption("How far back the agents' logs are searched.")] = "30d",
    unverified: UnverifiedOption = False,
    yes: YesOption = False,
    blueprints: BlueprintsOption = BLUEPRINTS,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Replace a value that leaked: without grace, with an end of the sessions that hold it; tells who used it, when."""
    from stacks.releases.project import project_in
    from strandline.rotation.revocation import revoke as run

    target = open_target(env, environments)
    project = project_in(target.environment, blueprints, environments)
    (rotation,) = rotations = open_rotations(target, project, [[name]])
    check_verifiable(rotations, unverified)
    confirm(yes, f"Replace {name} in {env} at once, and end the sessions that hold the present value?")
    read = value_reader(value_from, [] if rotation.is_made_here else [name])
    run(target, project, rotation, read, seconds=seconds_of(since, "--since"), console=stderr)


@app.command("import")
def import_values(
    env: EnvironmentOption,
    from_dotenv: Annotated[Path | None, typer.Option(help="A file of lines NAME=value.")] = None,
    from_env: Annotated[bool, typer.Option("--from-env", help="Take them from this process's environment.")] = False,
    replace: Annotated[bool, typer.Option(help="Set those too that have a value already.")] = False,
    blueprints: BlueprintsOption = BLUEPRINTS,
    environments: EnvironmentsOption = ENVIRONMENTS,
) -> None:
    """Set the values of the secrets that the environment's blueprints name, as far as a source has them."""
    from strandline.secret_values import check_value, put_value

    if (from_dotenv is None) is not from_env:
        raise InputError("Name one source: --from-dotenv FILE, or --from-env.")
    target = open_target(env, environments)
    values = _read_dotenv(from_dotenv) if from_dotenv else dict(os.environ)
    named = [report for report in _take(target, blueprints, environments) if report.users]
    wanted = [report.variable for report in named if report.variable in values and (replace or report.state != "set")]
    # All of them are looked at before one is written.
    checked = {variable: check_value(variable, values[variable]) for variable in wanted}
    for variable, value in checked.items():
        put_value(target, variable, value)
        stderr.print(f"[green]set:[/] {variable} in {env}")
    kept = [report.variable for report in named if report.variable in values and report.variable not in checked]
    if kept:
        stderr.print(f"kept, because they have a value (--replace): {', '.join(kept)}")
    absent = [report.variable for report in named if report.variable not in values and report.state != "set"]
    if absent:
        stderr.print(f"still without a value: {', '.join(absent)}")


def _take(target: Target, blueprints: Path, environments: Path) -> list[SecretReport]:
    from stacks.releases.project import project_in
    from strandline.secret_inventory import take_secrets

    project = project_in(target.environment, blueprints, environments)
    return take_secrets(target, project.secret_users(target.environment))


def _fault(report: SecretReport, env: str) -> str | None:
    if not report.users or report.state == "set":
        return None
    faults = {
        "missing": f": {env} has no secret {report.secret} yet",
        "deleted": f": {report.secret} is marked for deletion",
        "empty": " has no value",
    }
    return f"{report.variable} ({', '.join(report.users)}){faults[report.state]}: {report.mend(env)}"


def _as_dict(report: SecretReport) -> dict[str, Any]:
    import datetime as dt

    return {
        "variable": report.variable,
        "secret": report.secret,
        "users": list(report.users),
        "state": report.state,
        "version": report.version,
        "set_at": report.set_at.astimezone(dt.UTC).isoformat() if report.set_at else None,
        "age_days": report.age_days(dt.datetime.now(dt.UTC)),
        "last_used": report.last_used.isoformat() if report.last_used else None,
        "stages": dict(report.stages or {}),
    }


def _table(reports: list[SecretReport]) -> Table:
    import datetime as dt

    from rich.table import Table

    now = dt.datetime.now(dt.UTC)
    table = Table(pad_edge=False)
    for column in ("variable", "used by", "value", "version", "age, days", "last used"):
        table.add_column(column, justify="right" if column.startswith("age") else "left", overflow="fold")
    for report in reports:
        age = report.age_days(now)
        table.add_row(
            report.variable,
            ", ".join(report.users) or "-",
            report.state,
            report.version[:_SHORT_VERSION] if report.version else "-",
            "-" if age is None else str(age),
            report.last_used.isoformat() if report.last_used else "-",
        )
    return table


def _read_dotenv(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    # A value may hold a dollar sign; nothing in it is another variable's.
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value}
